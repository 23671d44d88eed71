-- Does the visual generalization score of LMs go with other measures of them, such as MMLU-Pro?
-- S2 has Pearson r = 0.768 with MMLU-Pro. The measures are the user's: `xmodal align capability`.
-- Grain: one row per capability and condition but for the LM; a point is a pretrained LM, mean
--   over its runs. reading: sound has encoders by the mean of their tokens and decoders by the
--   last; s2 has encoders by the last, too (only where there are encoders); any other pooling
--   by itself. An LM that a group has in several ways, such as two revisions, is no point and
--   counted in n_left_out.
-- Units: score: zero-shot accuracy, class mean. pearson, spearman (ties share their mean rank) in
--   [-1, 1], NULL with fewer than two LMs or where a side is constant. low, high: 95 % intervals
--   by Fisher's z, of spearman with Bonett and Wright's variance (1 + r^2 / 2) / (n - 3); NULL
--   below 4 LMs and at 1 or -1.
-- Empty: no capability is stored of an LM whose alignments were evaluated: `xmodal align
--   capability FILE` brings them
-- Params: $task VARCHAR: zero-shot when left out; seen, generalised. $level VARCHAR: one level;
--   all when left out. $capability VARCHAR: one of them; all when left out.
WITH score AS (
    SELECT
        condition,
        n_candidates,
        avg(top1 ORDER BY class_id) AS score
    FROM align_seed_mean
    WHERE task = coalesce($task::VARCHAR, 'zero-shot')
    GROUP BY ALL
),

read_as AS (
    SELECT
        *,
        unnest(CASE
            WHEN lm_kind = 'decoder' AND lm_pooling = 'last' THEN ['sound', 's2']
            WHEN lm_kind = 'encoder' AND lm_pooling = 'mean' THEN ['sound']
            ELSE [lm_pooling]
        END) AS reading
    FROM align_setting
    WHERE
        lm_init = 'pretrained'
        AND lm_kind <> 'words'
        AND ($level IS NULL OR level = $level::VARCHAR)
),

point AS (
    SELECT
        read_as.trained_on,
        read_as.separation_id,
        read_as.level,
        read_as.arm,
        read_as.encoder,
        read_as.recipe,
        read_as.n_pairs,
        read_as.asked_on,
        read_as.names,
        read_as.class_list,
        read_as.split,
        read_as.lm_layer,
        read_as.reading,
        read_as.data_settings,
        read_as.size_settings,
        read_as.image_settings,
        read_as.recipe_settings,
        read_as.asked_settings,
        score.n_candidates,
        capability.capability,
        read_as.lm,
        any_value(read_as.lm_kind) AS lm_kind,
        any_value(score.score) AS score,
        any_value(capability.value) AS value,
        count(*) AS n_ways
    FROM read_as
    JOIN score USING (condition)
    JOIN lm_capability AS capability ON capability.lm = read_as.lm
    WHERE $capability IS NULL OR capability.capability = $capability::VARCHAR
    GROUP BY ALL
),

listed AS (
    SELECT
        * EXCLUDE (lm, lm_kind, score, value, n_ways),
        list(value ORDER BY lm) FILTER (n_ways = 1) AS xs,
        list(score ORDER BY lm) FILTER (n_ways = 1) AS ys,
        count(*) FILTER (n_ways = 1) AS n_lms,
        count(*) FILTER (n_ways > 1) AS n_left_out
    FROM point
    GROUP BY ALL
    HAVING reading <> 's2' OR count(*) FILTER (lm_kind = 'encoder') > 0
),

correlated AS (
    SELECT
        *,
        pearson(xs, ys) AS r,
        spearman(xs, ys) AS rho,
        CASE WHEN n_lms > 3 THEN 1 / (n_lms - 3) END AS r_variance,
        CASE WHEN n_lms > 3 THEN (1 + rho ** 2 / 2) / (n_lms - 3) END AS rho_variance
    FROM listed
)

SELECT
    trained_on,
    separation_id,
    level,
    arm,
    encoder,
    recipe,
    n_pairs,
    asked_on,
    names,
    class_list,
    split,
    lm_layer,
    reading,
    capability,
    r AS pearson,
    fisher_low(r, r_variance) AS pearson_low,
    fisher_high(r, r_variance) AS pearson_high,
    rho AS spearman,
    fisher_low(rho, rho_variance) AS spearman_low,
    fisher_high(rho, rho_variance) AS spearman_high,
    n_lms,
    n_left_out
FROM correlated
ORDER BY
    trained_on,
    separation_id,
    level_number(level),
    arm DESC,
    encoder,
    recipe,
    n_pairs,
    asked_on,
    names,
    class_list,
    split,
    lm_layer,
    reading,
    capability,
    data_settings,
    size_settings,
    image_settings,
    recipe_settings,
    asked_settings,
    n_candidates;
