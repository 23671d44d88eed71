-- Accuracy of binding runs by training step, within and beyond what they were trained on
-- Beside @binding-mechanism, which goes by step where kept weights were looked at, it says whether
--   accuracy beyond training comes with a change of mechanism, before it or after.
-- Grain: one row per condition (runs that differ by seeds only), step, vocabulary, and object counts
--   asked.
-- Units: step: of the run itself, 0 before its training. ends_stage: the step is the last of a
--   stage, after which more scenes are asked. Text context, two-hop question. in_accuracy,
--   out_accuracy: share of right answers, mean over the object counts up to n_to and over the
--   larger ones (out_objects), each count the same, then over runs. _low, _high: 95 % interval over
--   seeds, Student's t, cut at 0 and 1, NULL with one; runs of one start are averaged first where
--   there are several starts (n_starts), else it holds for that start. out_chance: of a guess among
--   the scene's items.
-- Empty: no binding run is in the store: `xmodal binding train` makes one
-- Params: $run VARCHAR: the condition of this run, an id or its beginning; all when left out.
WITH of_unit AS (
    SELECT
        run.condition,
        run.arm,
        run.position,
        run.start,
        run.scene_layout,
        run.encoder,
        run.recipe,
        run.n_layers,
        run.n_from,
        run.n_to,
        score.step,
        score.stage,
        score.ends_stage,
        score.vocabulary,
        score.in_objects,
        score.out_objects,
        score.out_chance,
        run.unit,
        avg(score.in_accuracy ORDER BY run_id) AS in_accuracy,
        avg(score.out_accuracy ORDER BY run_id) AS out_accuracy,
        count(*) AS n_runs,
        list(DISTINCT run.root) AS roots
    FROM binding_condition AS run
    JOIN binding_score AS score USING (run_id)
    WHERE score.context = 'text'
    GROUP BY ALL
),

of_condition AS (
    SELECT
        * EXCLUDE (unit, in_accuracy, out_accuracy, n_runs, roots),
        avg(in_accuracy ORDER BY unit) AS in_accuracy,
        seed_low(in_accuracy, unit, 0) AS in_low,
        seed_high(in_accuracy, unit, 1) AS in_high,
        avg(out_accuracy ORDER BY unit) AS out_accuracy,
        seed_low(out_accuracy, unit, 0) AS out_low,
        seed_high(out_accuracy, unit, 1) AS out_high,
        sum(n_runs)::BIGINT AS n_runs,
        len(list_distinct(flatten(list(roots)))) AS n_starts
    FROM of_unit
    GROUP BY ALL
)

SELECT
    condition,
    arm,
    position,
    start,
    scene_layout,
    encoder,
    recipe,
    n_layers,
    n_from,
    n_to,
    step,
    stage,
    ends_stage,
    vocabulary,
    in_accuracy,
    in_low,
    in_high,
    out_accuracy,
    out_low,
    out_high,
    out_chance,
    out_objects,
    n_runs,
    n_starts
FROM of_condition
WHERE
    $run IS NULL
    OR condition IN (
        SELECT condition
        FROM binding_condition
        WHERE starts_with(run_id, $run::VARCHAR)
    )
ORDER BY
    arm,
    position,
    start,
    scene_layout,
    encoder,
    recipe,
    condition,
    vocabulary,
    out_objects,
    in_objects,
    step;
