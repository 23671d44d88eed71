-- What pretraining gives an LM's text features: against random weights, and against bags of words
-- Grain: one row per condition of an LM and of its control, equal in all else. control: random,
--   scrambled: the pretrained LM's architecture, pooling and layer with other weights; words:
--   features of words without an LM. LMs with other weights are held against words too.
--   Where a setting without a column differs, each pair of settings is a row.
-- Units: top1_control, top1_lm: share of pictures whose class stands first, mean over
--   runs, then over the classes that both have. difference = top1_lm - top1_control, paired by
--   class; low, high: its 95 % interval, Student's t over classes, NULL with one. chance = 1 /
--   candidates. top5_control to high5: the same of the first five.
-- Empty: no two conditions differ in the LM's weights alone, or in LM against words
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
        a.encoder,
        a.recipe,
        a.n_pairs,
        a.asked_on,
        a.names,
        a.class_list,
        a.split,
        a.lm AS control_lm,
        b.lm AS lm,
        a.lm_init AS control_init,
        b.lm_init AS lm_init,
        a.lm_pooling AS control_pooling,
        b.lm_pooling AS lm_pooling,
        CASE WHEN a.lm_kind = 'words' THEN 'words' ELSE a.lm_init END AS control,
        a.condition AS condition_a,
        b.condition AS condition_b
    FROM setting AS a
    JOIN setting AS b
        ON a.data_settings = b.data_settings
        AND a.size_settings = b.size_settings
        AND a.image_settings = b.image_settings
        AND a.recipe_settings = b.recipe_settings
        AND a.asked_settings = b.asked_settings
        AND a.level IS NOT DISTINCT FROM b.level
        AND a.arm IS NOT DISTINCT FROM b.arm
        AND (a.longest = b.longest OR NOT (a.was_cut OR b.was_cut))
    WHERE
        b.lm_kind <> 'words'
        AND (
            a.lm_kind = 'words'
            OR (
                a.lm_init <> 'pretrained'
                AND b.lm_init = 'pretrained'
                AND a.lm = b.lm
                AND a.lm_kind = b.lm_kind
                AND a.n_lm_parameters = b.n_lm_parameters
                AND a.lm_pooling = b.lm_pooling
                AND a.lm_layer = b.lm_layer
            )
        )
),

-- kept, so that classes are not joined with one another before conditions are
pair_class AS MATERIALIZED (
    SELECT
        pair.*,
        a.n_candidates,
        a.class_id,
        a.top1,
        a.top5,
        a.n_runs
    FROM pair
    JOIN class_mean AS a ON a.condition = pair.condition_a
),

compared AS (
    SELECT
        a.* EXCLUDE (class_id, top1, top5, n_runs),
        avg(a.top1 ORDER BY a.class_id) AS top1_control,
        avg(b.top1 ORDER BY a.class_id) AS top1_lm,
        avg(b.top1 - a.top1 ORDER BY a.class_id) AS difference,
        stddev_samp(b.top1 - a.top1 ORDER BY a.class_id) AS sd,
        avg(a.top5 ORDER BY a.class_id) AS top5_control,
        avg(b.top5 ORDER BY a.class_id) AS top5_lm,
        avg(b.top5 - a.top5 ORDER BY a.class_id) AS difference5,
        stddev_samp(b.top5 - a.top5 ORDER BY a.class_id) AS sd5,
        count(*) AS n_classes,
        max(a.n_runs) AS n_runs_control,
        max(b.n_runs) AS n_runs_lm
    FROM pair_class AS a
    JOIN class_mean AS b
        ON b.condition = a.condition_b
        AND b.class_id = a.class_id
        AND b.n_candidates = a.n_candidates
    GROUP BY ALL
)

SELECT
    * EXCLUDE (
        condition_a, condition_b, n_candidates, sd, top5_control, top5_lm, difference5, sd5, n_classes,
        n_runs_control, n_runs_lm
    ),
    difference - t_975(n_classes - 1) * sd / sqrt(n_classes) AS low,
    difference + t_975(n_classes - 1) * sd / sqrt(n_classes) AS high,
    top5_control,
    top5_lm,
    difference5,
    difference5 - t_975(n_classes - 1) * sd5 / sqrt(n_classes) AS low5,
    difference5 + t_975(n_classes - 1) * sd5 / sqrt(n_classes) AS high5,
    1 / n_candidates AS chance,
    n_classes,
    n_runs_control,
    n_runs_lm
FROM compared
ORDER BY
    trained_on,
    separation_id,
    level_number(level),
    arm DESC,
    lm,
    lm_init,
    lm_pooling,
    control,
    control_lm,
    encoder,
    recipe,
    n_pairs,
    asked_on,
    names,
    class_list,
    split,
    condition_a,
    condition_b,
    n_candidates;
