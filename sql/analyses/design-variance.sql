-- Whose variance is it: of the design's draw, the initialisation, the leaf or the hypernym?
-- A condition with several draws of its manifest, some of them trained from several seeds. What
--   an answer shares with another is the mean product of both over all pairs of answers that have
--   exactly that in common, less that of pairs with nothing in common: unbiased in unbalanced
--   designs too, so that a component can come out below 0, where it is about 0.
-- Grain: one row per condition, question_set (held_out where the condition holds cells out, else
--   seen) and component: hypernym, leaf, pair (what a leaf under a hypernym adds to both),
--   picture (with the hypernym asked of it), design (draw of the manifest), initialisation
--   (projector and order of the data), rest (what is left, interactions of these among it).
-- Units: variance of an answer being right (1) or wrong (0); share of their sum in [0, 1], those
--   below 0 taken as 0; sd: its square root, how far apart levels of the component lie, in
--   fractions of answers. n_levels: of the component; NULL for rest. n_answers: over all runs.
-- Empty: no condition has two manifests of other seeds and two runs on one of them: `xmodal
--   manifest grid --seeds 1,2,3,4,5` and `xmodal train --manifest ID --seeds 1,2,3` make them
-- Params: none
WITH condition AS (
    SELECT
        run_condition.* EXCLUDE (run_id, shared_settings),
        CASE WHEN ratio > 0 THEN 'held_out' ELSE 'seen' END AS question_set,
        min(run_id) AS first_run,
        list(run_id) AS run_ids
    FROM run_condition
    JOIN run USING (run_id)
    GROUP BY ALL
),

told AS (
    SELECT
        condition.first_run,
        run_unit.manifest_seed AS d,
        run_unit.run_id AS r,
        example.label_leaf_id AS l,
        example.image_id AS i,
        example.asked_id AS h,
        (answered.predicted = example.answer)::DOUBLE AS y
    FROM condition
    JOIN run_unit ON list_contains(condition.run_ids, run_unit.run_id)
    JOIN example
        ON example.manifest_id = run_unit.manifest_id
        AND example.question_set = condition.question_set
    JOIN answered
        ON answered.run_id = run_unit.run_id
        AND answered.example_id = example.example_id
    WHERE example.split = 'test' AND answered.image_mode = 'real'
),

levels AS (
    SELECT
        first_run,
        count(DISTINCT d) AS n_design,
        count(DISTINCT r) AS n_initialisation,
        count(DISTINCT l) AS n_leaf,
        count(DISTINCT h) AS n_hypernym,
        count(DISTINCT (l, h)) AS n_pair,
        count(DISTINCT (i, h)) AS n_picture,
        count(*) AS n_answers,
        var_pop(y) + avg(y) ** 2 AS mean_square
    FROM told
    GROUP BY first_run
    HAVING n_design > 1 AND n_initialisation > n_design
),

-- sums of all answers with a mask's factors in common; bits: 16 h, 8 i, 4 l, 2 r, 1 d
summed AS (
    SELECT
        first_run,
        31 - grouping(h, i, l, r, d) AS mask,
        sum(y) AS total,
        count(*) AS n
    FROM told
    JOIN levels USING (first_run)
    GROUP BY GROUPING SETS (
        (first_run), (first_run, d), (first_run, l), (first_run, h),
        (first_run, d, l), (first_run, d, h), (first_run, l, h), (first_run, d, l, h),
        (first_run, d, r), (first_run, d, r, l), (first_run, d, r, h), (first_run, d, r, l, h),
        (first_run, l, i), (first_run, l, i, h), (first_run, d, l, i), (first_run, d, l, i, h)
    )
),

square AS (
    SELECT first_run, mask, sum(total ** 2) AS products, sum(n ** 2) AS n_pairs
    FROM summed
    GROUP BY first_run, mask
),

-- which pairs a component is read from: what they share, and in what they must differ
looked_at AS (
    FROM (
        VALUES
            ('nothing', 0, 16 + 4 + 1),
            ('hypernym', 16, 4 + 1),
            ('leaf', 4, 16 + 8 + 1),
            ('pair', 16 + 4, 8 + 1),
            ('picture', 16 + 8 + 4, 1),
            ('design', 1, 16 + 4 + 2),
            ('initialisation', 2 + 1, 16 + 4)
    ) AS shared (component, share, differ)
),

-- inclusion and exclusion over what must differ; a picture is of one leaf, a run of one design
subset AS (
    SELECT
        component,
        CASE WHEN bit_count(part) % 2 = 0 THEN 1 ELSE -1 END AS sign,
        share | part
        | (CASE WHEN (share | part) & 8 > 0 THEN 4 ELSE 0 END)
        | (CASE WHEN (share | part) & 2 > 0 THEN 1 ELSE 0 END) AS mask
    FROM looked_at, range(32) AS parts (part)
    WHERE part & differ = part
),

alike AS (
    SELECT
        first_run,
        component,
        sum(sign * products ORDER BY mask, sign) / nullif(sum(sign * n_pairs), 0) AS product
    FROM subset
    JOIN square USING (mask)
    GROUP BY ALL
),

found AS (
    SELECT
        first_run,
        max(product) FILTER (component = 'nothing') AS nothing,
        max(product) FILTER (component = 'hypernym') AS hypernym,
        max(product) FILTER (component = 'leaf') AS leaf,
        max(product) FILTER (component = 'pair') AS pair,
        max(product) FILTER (component = 'picture') AS picture,
        max(product) FILTER (component = 'design') AS design,
        max(product) FILTER (component = 'initialisation') AS initialisation
    FROM alike
    GROUP BY first_run
),

variance AS (
    SELECT
        first_run,
        unnest([
            {'component': 'hypernym', 'variance': hypernym - nothing},
            {'component': 'leaf', 'variance': leaf - nothing},
            {'component': 'pair', 'variance': pair - hypernym - leaf + nothing},
            {'component': 'picture', 'variance': picture - pair},
            {'component': 'design', 'variance': design - nothing},
            {'component': 'initialisation', 'variance': initialisation - design},
            {
                'component': 'rest',
                'variance': mean_square - nothing - (picture - nothing) - (initialisation - nothing)
            }
        ], max_depth := 2)
    FROM found
    JOIN levels USING (first_run)
)

SELECT
    condition.* EXCLUDE (hidden_settings, first_run, run_ids),
    component,
    variance,
    greatest(variance, 0)
    / nullif(sum(greatest(variance, 0)) OVER (PARTITION BY first_run), 0) AS share,
    sqrt(greatest(variance, 0)) AS sd,
    CASE component
        WHEN 'hypernym' THEN levels.n_hypernym
        WHEN 'leaf' THEN levels.n_leaf
        WHEN 'pair' THEN levels.n_pair
        WHEN 'picture' THEN levels.n_picture
        WHEN 'design' THEN levels.n_design
        WHEN 'initialisation' THEN levels.n_initialisation
    END AS n_levels,
    levels.n_answers
FROM variance
JOIN levels USING (first_run)
JOIN condition USING (first_run)
ORDER BY first_run, variance DESC, component;
