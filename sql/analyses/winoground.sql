-- Compositional examples: whether alignments tell two captions and two pictures apart
-- Scores as Winoground defines them: a cosine must be larger, not equal.
-- Grain: one row per condition (runs that differ by seeds only) and tag; tag NULL: all examples,
--   with and without a tag.
--   Where a setting without a column differs, such as the LM's layer, each is a row.
-- Units: shares of examples, mean over runs. text_score: each picture is nearer to its own caption
--   than to the other; image_score: each caption is nearer to its own picture than to the other;
--   group_score: both. _low, _high: 95 % intervals, Wilson's, over examples. Chance is 0.25, 0.25
--   and 1/6.
-- Empty: no alignment was evaluated on compositional examples
-- Params: $run VARCHAR: conditions of this run, an id or its beginning; all when left out.
WITH scored AS (
    SELECT
        condition,
        run_id,
        example_id,
        tag,
        c0_i0 > c1_i0 AND c1_i1 > c0_i1 AS is_text,
        c0_i0 > c0_i1 AND c1_i1 > c1_i0 AS is_image
    FROM align_composition
    JOIN align_condition USING (evaluation_id)
),

in_set AS (
    SELECT * EXCLUDE (tag), tag AS tag
    FROM scored
    WHERE tag IS NOT NULL
    UNION ALL BY NAME
    SELECT * EXCLUDE (tag), NULL AS tag
    FROM scored
),

run_mean AS (
    SELECT
        condition,
        run_id,
        tag,
        avg(is_text::INTEGER) AS text_score,
        avg(is_image::INTEGER) AS image_score,
        avg((is_text AND is_image)::INTEGER) AS group_score,
        count(DISTINCT example_id) AS n_examples
    FROM in_set
    GROUP BY ALL
),

condition_mean AS (
    SELECT
        condition,
        tag,
        avg(text_score ORDER BY run_id) AS text_score,
        avg(image_score ORDER BY run_id) AS image_score,
        avg(group_score ORDER BY run_id) AS group_score,
        min(n_examples) AS n_examples,
        count(*) AS n_runs
    FROM run_mean
    GROUP BY ALL
)

SELECT
    trained_on,
    separation_id,
    level,
    arm,
    lm,
    lm_init,
    lm_kind,
    lm_pooling,
    encoder,
    recipe,
    n_pairs,
    asked_on,
    tag,
    text_score,
    wilson_low(text_score, n_examples) AS text_low,
    wilson_high(text_score, n_examples) AS text_high,
    image_score,
    wilson_low(image_score, n_examples) AS image_low,
    wilson_high(image_score, n_examples) AS image_high,
    group_score,
    wilson_low(group_score, n_examples) AS group_low,
    wilson_high(group_score, n_examples) AS group_high,
    n_examples,
    condition_mean.n_runs
FROM condition_mean
JOIN align_setting USING (condition)
WHERE (
        $run IS NULL
        OR len(list_filter(run_ids, lambda one: starts_with(one, $run::VARCHAR))) > 0
    )
ORDER BY
    trained_on,
    separation_id,
    level_number(level),
    arm DESC,
    lm,
    lm_init,
    lm_pooling,
    encoder,
    recipe,
    n_pairs,
    asked_on,
    condition,
    tag NULLS FIRST;
