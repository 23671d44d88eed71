-- Alignments: what was trained on what, and how well it knows classes it has not seen
-- Grain: one row a run, oldest first.
-- Units: n_pairs, n_steps, best_step: pairs and steps; validation_loss: nats, at best_step; NULL
--   without validation. zero_shot: share of pictures of unseen classes, class mean, of the
--   evaluation that scored_on, names, class_list and split tell: of several the one on the
--   run's own dataset and names without a class list, the first that was made. chance = 1 /
--   candidates. NULL where none was scored on unseen classes. n_evaluations: all of the run's.
-- Empty: no alignment is in the store: `xmodal align train` makes one
-- Params: $run VARCHAR: a run id or its beginning; all when left out.
WITH zero_shot AS (
    SELECT
        evaluation_id,
        n_candidates,
        avg(top1 ORDER BY class_id) AS top1
    FROM align_class_score
    WHERE task = 'zero-shot'
    GROUP BY ALL
),

scored AS (
    SELECT
        evaluation.*,
        zero_shot.n_candidates,
        zero_shot.top1
    FROM align_evaluation AS evaluation
    JOIN zero_shot USING (evaluation_id)
    JOIN align_run AS run USING (run_id)
    QUALIFY row_number() OVER (
        PARTITION BY evaluation.run_id
        ORDER BY
            evaluation.dataset_id IS NOT DISTINCT FROM run.dataset_id DESC,
            evaluation.text_feature_set_id = run.text_feature_set_id DESC,
            evaluation.names IS NULL DESC,
            evaluation.class_list IS NULL DESC,
            evaluation.created_at,
            evaluation_id
    ) = 1
),

counted AS (
    SELECT run_id, count(*) AS n_evaluations
    FROM align_evaluation
    GROUP BY run_id
)

SELECT
    run.run_id,
    coalesce(caption_set.name, run.dataset_id, run.caption_set_id) AS trained_on,
    run.separation_id,
    run.level,
    run.arm,
    run.lm,
    run.lm_init,
    run.lm_kind,
    run.lm_pooling,
    run.encoder,
    run.recipe,
    run.side,
    run.projection,
    run.depth,
    run.width,
    run.n_pairs,
    run.n_classes,
    run.seed_init,
    run.seed_order,
    run.n_steps,
    run.best_step,
    metric.value AS validation_loss,
    run.seconds,
    coalesce(scored_caption.name, scored.dataset_id) AS scored_on,
    scored.names,
    scored.class_list,
    scored.split,
    scored.top1 AS zero_shot,
    1 / scored.n_candidates AS chance,
    coalesce(counted.n_evaluations, 0) AS n_evaluations
FROM align_run AS run
LEFT JOIN caption_set USING (caption_set_id)
LEFT JOIN scored USING (run_id)
LEFT JOIN caption_set AS scored_caption
    ON scored_caption.caption_set_id = scored.caption_set_id
LEFT JOIN counted USING (run_id)
LEFT JOIN metric
    ON metric.run_id = run.run_id
    AND metric.step = run.best_step
    AND metric.name = 'validation_loss'
WHERE starts_with(run.run_id, coalesce($run, ''))
ORDER BY run.started_at, run.run_id;
