-- Accuracy of binding runs by number of objects, at the end of each stage
-- Grain: one row per condition (runs that differ by seeds only), stage, context, vocabulary,
--   question and number of objects. stage_number: 0 is before training.
-- Units: accuracy: share of right answers, mean over runs; low, high: 95 % interval over seeds,
--   Student's t, cut at 0 and 1, NULL with one; runs of one start are averaged first where there
--   are several starts (n_starts), else the interval holds for that start. chance: of a guess
--   among the scene's items (or shapes, where one is asked for), 1 / objects. in_scene: share of
--   answers that are an item (a shape) of the scene. loss: mean cross-entropy, nats. step: mean
--   over runs. n_questions: asked, of all runs together.
-- Empty: no binding run is in the store: `xmodal binding train` makes one
-- Params: $arm VARCHAR: one arm; all when left out. $context VARCHAR: text or image; both when
--   left out. $question VARCHAR: two (colour to item, two hops), when left out; colour-shape or
--   shape-item (one hop, asked at the end of stages), or all. $run VARCHAR: the condition of this
--   run, an id or its beginning; all when left out.
WITH moment AS (
    SELECT
        run_id,
        step,
        sum((step > 0)::BIGINT) OVER (PARTITION BY run_id ORDER BY step)::BIGINT AS stage_number
    FROM (
        SELECT DISTINCT run_id, step
        FROM binding_accuracy
        WHERE ends_stage OR step = 0
    )
),

of_unit AS (
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
        moment.stage_number,
        answered.stage,
        answered.context,
        answered.vocabulary,
        answered.question,
        answered.n_objects,
        answered.in_distribution,
        run.unit,
        avg(answered.n_right / answered.n_questions ORDER BY run_id) AS accuracy,
        avg(answered.n_in_scene / answered.n_questions ORDER BY run_id) AS in_scene,
        avg(answered.loss ORDER BY run_id) AS loss,
        avg(answered.step ORDER BY run_id) AS step,
        sum(answered.n_questions)::BIGINT AS n_questions,
        count(*) AS n_runs,
        list(DISTINCT run.root) AS roots
    FROM binding_accuracy AS answered
    JOIN moment USING (run_id, step)
    JOIN binding_condition AS run USING (run_id)
    WHERE
        coalesce($question, 'two') IN (answered.question, 'all')
        AND ($arm IS NULL OR run.arm = $arm::VARCHAR)
        AND ($context IS NULL OR answered.context = $context::VARCHAR)
    GROUP BY ALL
),

of_condition AS (
    SELECT
        * EXCLUDE (unit, accuracy, in_scene, loss, step, n_questions, n_runs, roots),
        avg(accuracy ORDER BY unit) AS accuracy,
        seed_low(accuracy, unit, 0) AS low,
        seed_high(accuracy, unit, 1) AS high,
        1 / n_objects AS chance,
        avg(in_scene ORDER BY unit) AS in_scene,
        avg(loss ORDER BY unit) AS loss,
        avg(step ORDER BY unit) AS step,
        sum(n_questions)::BIGINT AS n_questions,
        sum(n_runs)::BIGINT AS n_runs,
        len(list_distinct(flatten(list(roots)))) AS n_starts
    FROM of_unit
    GROUP BY ALL
)

SELECT *
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
    stage_number,
    stage,
    context DESC,
    vocabulary,
    question DESC,
    n_objects;
