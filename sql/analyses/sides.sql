-- Which side is projected: text to pictures, pictures to text, or both; all else equal
-- S2 has text to vision at 38.7 % and vision to text at 22 % on Chinese ImageNet names.
-- Grain: one row per condition but for the side, and pair of sides (text, image, both). What is
--   projected has one shape (kind, depth, width, activation, dropout), where both are projected
--   too; recipes are equal but for name, sides and dim.
--   Where a setting without a column differs, each pair of settings is a row.
-- Units: top1_a, top1_b: share of pictures whose class stands first, mean over
--   runs, then over the classes that both have. difference = top1_b - top1_a, paired by
--   class; low, high: its 95 % interval, Student's t over classes, NULL with one. chance = 1 /
--   candidates. dim_a, dim_b: channels that two projected sides share, where the recipe
--   gives them.
-- Empty: no two conditions of alignments differ in what is projected alone
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
        a.encoder,
        a.n_pairs,
        a.asked_on,
        a.names,
        a.class_list,
        a.split,
        a.projection,
        a.depth,
        a.width,
        a.activation,
        a.side AS side_a,
        b.side AS side_b,
        a.dim AS dim_a,
        b.dim AS dim_b,
        a.condition AS condition_a,
        b.condition AS condition_b
    FROM setting AS a
    JOIN setting AS b
        ON a.data_settings = b.data_settings
        AND a.size_settings = b.size_settings
        AND a.text_settings = b.text_settings
        AND a.image_settings = b.image_settings
        AND a.rest_settings = b.rest_settings
        AND a.shape = b.shape
        AND a.asked_settings = b.asked_settings
        AND a.level IS NOT DISTINCT FROM b.level
        AND a.arm IS NOT DISTINCT FROM b.arm
    WHERE
        list_position(['text', 'image', 'both'], a.side)
            < list_position(['text', 'image', 'both'], b.side)
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
    side_a,
    side_b,
    lm,
    lm_init,
    lm_pooling,
    encoder,
    n_pairs,
    asked_on,
    names,
    class_list,
    split,
    condition_a,
    condition_b,
    n_candidates;
