-- Whether the lift of an arm survives compute matching: arms against text, pair by pair
-- Pairs of runs of two arms that agree in seeds, start, sizes, position, numbers of steps and of
--   answered questions, step by step as the recipes have them: what differs is all that the arm
--   is, several factors at once (@binding-factors takes them apart where a grid has them). arm_a is
--   text, the control of every arm, or noise-text, the control of arms with noise that is matched
--   in tokens where noise fills the context up to an image.
-- Grain: one row per two conditions (runs that differ by seeds only), vocabulary and object counts
--   asked. scene_layout, encoder: of arm_b.
-- Units: text context, two-hop question, last step. in_accuracy, out_accuracy: share of right
--   answers, mean over the object counts up to n_to and over the larger ones (out_objects), then
--   over pairs. difference = b - a of out_accuracy; low, high: its 95 % interval over seeds,
--   Student's t, cut at -1 and 1, NULL with one; pairs of one start are averaged first where there
--   are several starts. n_seeds: what the interval is over. n_steps, n_questions: of each run,
--   equal by choice. tokens_ratio (that take a position), tokens_computed_ratio, flops_ratio: b / a,
--   of these runs alone without what they started from. out_chance: of a guess among the scene's
--   items.
-- Empty: no arm has a text arm with its seeds, start, steps and questions: `xmodal binding train
--   --arm text --arm noise-text` makes them together
-- Params: $arm VARCHAR: arm_b; all when left out. $run VARCHAR: the condition of this run on either
--   side, an id or its beginning; all when left out.
WITH run AS (
    SELECT
        run.*,
        score.vocabulary,
        score.in_objects,
        score.out_objects,
        score.in_accuracy,
        score.out_accuracy,
        score.out_chance
    FROM binding_condition AS run
    JOIN binding_score AS score USING (run_id)
    WHERE
        score.is_last
        AND score.context = 'text'
        AND score.out_accuracy IS NOT NULL
),

pair AS (
    SELECT
        a.condition AS condition_a,
        b.condition AS condition_b,
        a.arm AS arm_a,
        b.arm AS arm_b,
        b.position,
        b.start,
        b.scene_layout,
        b.encoder,
        a.recipe AS recipe_a,
        b.recipe AS recipe_b,
        b.n_layers,
        b.n_from,
        b.n_to,
        b.vocabulary,
        b.in_objects,
        b.out_objects,
        b.out_chance,
        b.n_steps,
        b.n_questions,
        b.unit,
        a.run_id AS run_a,
        b.run_id AS run_b,
        a.in_accuracy AS in_accuracy_a,
        b.in_accuracy AS in_accuracy_b,
        a.out_accuracy AS out_accuracy_a,
        b.out_accuracy AS out_accuracy_b,
        b.n_tokens / nullif(a.n_tokens, 0) AS tokens_ratio,
        b.n_tokens_computed / nullif(a.n_tokens_computed, 0) AS tokens_computed_ratio,
        b.flops / nullif(a.flops, 0) AS flops_ratio
    FROM run AS a
    JOIN run AS b
        -- of all settings but for stages, position and pictures; steps and questions are in it
        ON a.factor_settings = b.factor_settings
        AND a.position = b.position
        AND a.seed_init = b.seed_init
        AND a.seed_order = b.seed_order
        AND a.start_run_id IS NOT DISTINCT FROM b.start_run_id
        AND a.vocabulary = b.vocabulary
        AND a.in_objects IS NOT DISTINCT FROM b.in_objects
        AND a.out_objects = b.out_objects
    WHERE
        a.arm <> b.arm
        AND (a.arm = 'text' OR (a.arm = 'noise-text' AND b.uses_noise))
        AND ($arm IS NULL OR b.arm = $arm::VARCHAR)
),

of_unit AS (
    SELECT
        * EXCLUDE (
            run_a, run_b, in_accuracy_a, in_accuracy_b, out_accuracy_a, out_accuracy_b,
            tokens_ratio, tokens_computed_ratio, flops_ratio
        ),
        avg(in_accuracy_a ORDER BY run_a, run_b) AS in_accuracy_a,
        avg(in_accuracy_b ORDER BY run_a, run_b) AS in_accuracy_b,
        avg(out_accuracy_a ORDER BY run_a, run_b) AS out_accuracy_a,
        avg(out_accuracy_b ORDER BY run_a, run_b) AS out_accuracy_b,
        avg(out_accuracy_b - out_accuracy_a ORDER BY run_a, run_b) AS difference,
        avg(tokens_ratio ORDER BY run_a, run_b) AS tokens_ratio,
        avg(tokens_computed_ratio ORDER BY run_a, run_b) AS tokens_computed_ratio,
        avg(flops_ratio ORDER BY run_a, run_b) AS flops_ratio,
        count(*) AS n_pairs
    FROM pair
    GROUP BY ALL
),

lift AS (
    SELECT
        condition_a,
        condition_b,
        arm_a,
        arm_b,
        position,
        start,
        scene_layout,
        encoder,
        recipe_a,
        recipe_b,
        n_layers,
        n_from,
        n_to,
        vocabulary,
        in_objects,
        out_objects,
        avg(in_accuracy_a ORDER BY unit) AS in_accuracy_a,
        avg(in_accuracy_b ORDER BY unit) AS in_accuracy_b,
        avg(out_accuracy_a ORDER BY unit) AS out_accuracy_a,
        avg(out_accuracy_b ORDER BY unit) AS out_accuracy_b,
        avg(difference ORDER BY unit) AS difference,
        seed_low(difference, unit, -1) AS low,
        seed_high(difference, unit, 1) AS high,
        out_chance,
        count(*) AS n_seeds,
        sum(n_pairs)::BIGINT AS n_pairs,
        n_steps,
        n_questions,
        avg(tokens_ratio ORDER BY unit) AS tokens_ratio,
        avg(tokens_computed_ratio ORDER BY unit) AS tokens_computed_ratio,
        avg(flops_ratio ORDER BY unit) AS flops_ratio
    FROM of_unit
    GROUP BY ALL
)

SELECT *
FROM lift
WHERE
    $run IS NULL
    OR EXISTS (
        SELECT 1
        FROM binding_condition
        WHERE
            starts_with(run_id, $run::VARCHAR)
            AND condition IN (condition_a, condition_b)
    )
ORDER BY
    arm_a DESC,
    arm_b,
    position,
    start,
    scene_layout,
    encoder,
    recipe_a,
    recipe_b,
    condition_a,
    condition_b,
    vocabulary,
    out_objects,
    in_objects;
