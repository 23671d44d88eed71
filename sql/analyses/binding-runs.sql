-- Binding runs: what was trained, at what cost, and how accurate it is at the end
-- Grain: one row per run, oldest first; runs of one condition differ by seeds only.
-- Units: n_params, n_steps, n_questions: of this run alone; seconds; n_together: runs that shared
--   them. in_accuracy, out_accuracy: text context, base vocabulary, two-hop question, last step;
--   share of right answers, mean over the object counts up to n_to and over the larger ones.
--   n_probes: looks into it, at any step.
-- Empty: no binding run is in the store: `xmodal binding train` makes one
-- Params: $run VARCHAR: a run id or its beginning; all when left out.
WITH looked AS (
    SELECT run_id, count(*) AS n_probes
    FROM binding_probe
    GROUP BY run_id
),

score AS (
    SELECT run_id, in_accuracy, out_accuracy
    FROM binding_score
    WHERE is_last AND context = 'text' AND vocabulary = 'base'
)

SELECT
    run.run_id,
    run.condition,
    run.arm,
    run.position,
    run.scene_layout,
    run.encoder,
    run.start,
    run.start_run_id,
    run.recipe,
    run.n_layers,
    run.width,
    run.n_heads,
    run.n_params,
    run.n_from,
    run.n_to,
    run.seed_init,
    run.seed_order,
    run.n_steps,
    run.n_questions,
    run.seconds,
    run.n_together,
    score.in_accuracy,
    score.out_accuracy,
    coalesce(looked.n_probes, 0) AS n_probes
FROM binding_condition AS run
LEFT JOIN score USING (run_id)
LEFT JOIN looked USING (run_id)
WHERE starts_with(run.run_id, coalesce($run, ''))
ORDER BY run.started_at, run.run_id;
