-- Whose variance is it: of the design's draw, the initialisation, the leaf or the hypernym?
-- A condition with several draws of its manifest, some of them trained from several seeds. What
--   answers have in common is read from mean products of pairs: pairs that share exactly the
--   component, less pairs that share nothing. Hypernyms count alike, whatever their number of
--   questions; the other components are those of deviations from a hypernym's mean, so that large
--   hypernyms, which may be easier, do not pass for leaves. A component can come out below 0,
--   where it is about 0.
-- Grain: one row per condition, question_set (held_out where the condition holds cells out, else
--   seen), answer (the true one: what makes Yes hard makes No easy) and component: hypernym, leaf
--   (under all its hypernyms), pair (what a leaf under one hypernym adds), picture (asked about
--   one hypernym), design (draw of the manifest), initialisation (projector and order of the
--   data), rest (interactions of these with one another, and chance).
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
        {'run': condition.first_run, 'answer': example.answer} AS of,
        run_unit.manifest_seed AS d,
        run_unit.run_id AS r,
        example.label_leaf_id AS l,
        example.image_id AS i,
        example.asked_id AS h,
        (answered.predicted = example.answer)::DOUBLE AS y,
        y - avg(y) OVER (PARTITION BY of, h) AS e
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
        of,
        count(DISTINCT d) AS n_design,
        count(DISTINCT r) AS n_initialisation,
        count(DISTINCT l) AS n_leaf,
        count(DISTINCT h) AS n_hypernym,
        count(DISTINCT (l, h)) AS n_pair,
        count(DISTINCT (i, h)) AS n_picture,
        count(*) AS n_answers,
        avg(e ** 2) AS within_hypernym
    FROM told
    GROUP BY of
    HAVING n_design > 1 AND n_initialisation > n_design
),

-- sums of all answers with a mask's factors in common; bits: 16 h, 8 i, 4 l, 2 r, 1 d
summed AS (
    SELECT
        of,
        h,
        31 - grouping(h, i, l, r, d) AS mask,
        sum(y) AS total,
        sum(e) AS moved,
        count(*) AS n
    FROM told
    JOIN levels USING (of)
    GROUP BY GROUPING SETS (
        (of), (of, d), (of, l), (of, h), (of, d, l), (of, d, h), (of, l, h), (of, d, l, h),
        (of, d, r), (of, d, r, l), (of, d, r, h), (of, d, r, l, h),
        (of, l, i), (of, l, i, h), (of, d, l, i), (of, d, l, i, h)
    )
),

-- which pairs a component is read from: what they share, and in what they must differ
looked_at AS (
    FROM (
        VALUES
            ('nothing', 0, 16 + 4 + 1),
            ('leaf', 4, 16 + 8 + 1),
            ('pair', 16 + 4, 8 + 1),
            ('picture', 16 + 8 + 4, 1),
            ('design', 1, 16 + 4 + 2),
            ('initialisation', 2 + 1, 16 + 4),
            ('hypernym', 16, 4 + 1)
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

square AS (
    SELECT of, mask, sum(moved ** 2) AS products, sum(n ** 2) AS n_pairs
    FROM summed
    GROUP BY of, mask
),

alike AS (
    SELECT
        of,
        component,
        sum(sign * products ORDER BY mask, sign) / nullif(sum(sign * n_pairs), 0) AS product
    FROM subset
    JOIN square USING (mask)
    WHERE component <> 'hypernym'
    GROUP BY ALL
),

-- of one hypernym: its mean, and the square of what its leaves and designs are drawn around
hypernym_square AS (
    SELECT
        of,
        h,
        sum(sign * total ** 2 ORDER BY mask, sign) / nullif(sum(sign * n ** 2), 0) AS square,
        max(total / n) FILTER (mask = 16) AS mean
    FROM subset
    JOIN summed USING (mask)
    WHERE component = 'hypernym'
    GROUP BY of, h
),

between_hypernyms AS (
    SELECT
        of,
        avg(square ORDER BY h)
        - (sum(mean ORDER BY h) ** 2 - sum(mean ** 2 ORDER BY h)) / (count(*) * (count(*) - 1))
            AS hypernym
    FROM hypernym_square
    WHERE square IS NOT NULL
    GROUP BY of
    HAVING count(*) > 1
),

found AS (
    SELECT
        of,
        max(product) FILTER (component = 'nothing') AS nothing,
        max(product) FILTER (component = 'leaf') - nothing AS leaf,
        max(product) FILTER (component = 'pair') - nothing AS leaf_and_pair,
        max(product) FILTER (component = 'picture') - nothing AS down_to_picture,
        max(product) FILTER (component = 'design') - nothing AS design,
        max(product) FILTER (component = 'initialisation') - nothing AS run
    FROM alike
    GROUP BY of
),

variance AS (
    SELECT
        of,
        unnest([
            {'component': 'hypernym', 'variance': hypernym},
            {'component': 'leaf', 'variance': leaf},
            {'component': 'pair', 'variance': leaf_and_pair - leaf},
            {'component': 'picture', 'variance': down_to_picture - leaf_and_pair},
            {'component': 'design', 'variance': design},
            {'component': 'initialisation', 'variance': run - design},
            {'component': 'rest', 'variance': within_hypernym - nothing - down_to_picture - run}
        ], max_depth := 2)
    FROM found
    JOIN levels USING (of)
    LEFT JOIN between_hypernyms USING (of)
)

SELECT
    condition.* EXCLUDE (hidden_settings, first_run, run_ids),
    of.answer,
    component,
    variance,
    greatest(variance, 0)
    / nullif(sum(greatest(variance, 0)) OVER (PARTITION BY of), 0) AS share,
    sqrt(greatest(variance, 0)) AS sd,
    CASE component
        WHEN 'hypernym' THEN n_hypernym
        WHEN 'leaf' THEN n_leaf
        WHEN 'pair' THEN n_pair
        WHEN 'picture' THEN n_picture
        WHEN 'design' THEN n_design
        WHEN 'initialisation' THEN n_initialisation
    END AS n_levels,
    n_answers
FROM variance
JOIN levels USING (of)
JOIN condition ON condition.first_run = of.run
ORDER BY of, variance DESC NULLS LAST, component;
