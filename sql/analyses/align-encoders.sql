-- One image encoder of alignments against another, all else equal
-- Grain: one row per condition but for the encoder, and pair of encoders, by name; equal in LM,
--   texts, pairs of training and all the rest.
--   Where a setting without a column differs, each pair of settings is a row.
-- Units: top1_a, top1_b: share of pictures whose class stands first, mean over
--   runs, then over the classes that both have. difference = top1_b - top1_a, paired by
--   class; low, high: its 95 % interval, Student's t over classes, NULL with one. chance = 1 /
--   candidates.
-- Empty: no two conditions of alignments differ in their image encoder alone
-- Params: $task VARCHAR: zero-shot when left out; seen, generalised. $level VARCHAR: one
--   level; all when left out.
WITH setting AS MATERIALIZED (
    SELECT *
    FROM align_setting
    WHERE $level IS NULL OR level = $level::VARCHAR
),

class_mean AS MATERIALIZED (
    SELECT *
    FROM align_seed_mean
    WHERE task = coalesce($task::VARCHAR, 'zero-shot')
),

pair AS (
    SELECT
        a.trained_on,
        a.separation_id,
        a.level,
        a.arm,
        a.lm,
        a.lm_init,
        a.lm_kind,
        a.lm_pooling,
        a.recipe,
        a.n_pairs,
        a.asked_on,
        a.names,
        a.class_list,
        a.split,
        a.encoder AS encoder_a,
        b.encoder AS encoder_b,
        a.condition AS condition_a,
        b.condition AS condition_b
    FROM setting AS a
    JOIN setting AS b
        ON a.data_settings = b.data_settings
        AND a.size_settings = b.size_settings
        AND a.text_settings = b.text_settings
        AND a.recipe_settings = b.recipe_settings
        AND a.asked_settings = b.asked_settings
        AND a.level IS NOT DISTINCT FROM b.level
        AND a.arm IS NOT DISTINCT FROM b.arm
    WHERE
        a.encoder < b.encoder
),

-- kept, so that classes are not joined with one another before conditions are
pair_class AS MATERIALIZED (
    SELECT
        pair.*,
        a.n_candidates,
        a.class_id,
        a.top1,
        a.n_runs
    FROM pair
    JOIN class_mean AS a ON a.condition = pair.condition_a
),

compared AS (
    SELECT
        a.* EXCLUDE (class_id, top1, n_runs),
        avg(a.top1 ORDER BY a.class_id) AS top1_a,
        avg(b.top1 ORDER BY a.class_id) AS top1_b,
        avg(b.top1 - a.top1 ORDER BY a.class_id) AS difference,
        stddev_samp(b.top1 - a.top1 ORDER BY a.class_id) AS sd,
        count(*) AS n_classes,
        max(a.n_runs) AS n_runs_a,
        max(b.n_runs) AS n_runs_b
    FROM pair_class AS a
    JOIN class_mean AS b
        ON b.condition = a.condition_b
        AND b.class_id = a.class_id
        AND b.n_candidates = a.n_candidates
    GROUP BY ALL
)

SELECT
    * EXCLUDE (condition_a, condition_b, n_candidates, sd, n_classes, n_runs_a, n_runs_b),
    difference - t_975(n_classes - 1) * sd / sqrt(n_classes) AS low,
    difference + t_975(n_classes - 1) * sd / sqrt(n_classes) AS high,
    1 / n_candidates AS chance,
    n_classes,
    n_runs_a,
    n_runs_b
FROM compared
ORDER BY
    trained_on,
    separation_id,
    level_number(level),
    arm DESC,
    encoder_a,
    encoder_b,
    lm,
    lm_init,
    lm_pooling,
    recipe,
    n_pairs,
    asked_on,
    names,
    class_list,
    split,
    condition_a,
    condition_b,
    n_candidates;
