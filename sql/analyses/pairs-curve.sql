-- The score of alignments against the number of training pairs, all else equal
-- Grain: one row per condition (runs that differ by seeds only) of a curve: conditions that
--   differ in n_pairs, two at least, with what goes with it (texts, pictures, and the batch where
--   there are fewer pairs than a batch has). Recipes are equal but for name and n_pairs;
--   fewer pairs may show fewer classes. curve numbers the curves.
-- Units: top1: share of pictures whose class stands first, mean over runs, then over classes;
--   low, high: its 95 % interval, Student's t over classes, NULL with one. chance = 1 / candidates.
--   batch_size: pairs of a step.
-- Empty: no two conditions of alignments differ in the number of training pairs alone
-- Params: $task VARCHAR: zero-shot when left out; seen, generalised. $level VARCHAR: one
--   level; all when left out.
WITH score AS (
    SELECT
        condition,
        n_candidates,
        avg(top1 ORDER BY class_id) AS top1,
        stddev_samp(top1 ORDER BY class_id) AS sd,
        count(*) AS n_classes,
        max(n_runs) AS n_runs
    FROM align_seed_mean
    WHERE task = coalesce($task::VARCHAR, 'zero-shot')
    GROUP BY ALL
),

scored AS (
    SELECT
        setting.*,
        score.* EXCLUDE (condition, n_runs),
        score.n_runs AS n_scored_runs,
        md5(concat_ws(
            ' ', data_settings, coalesce(level, ''), coalesce(arm, ''), text_settings,
            image_settings, unsized_settings, asked_settings, validation, n_params, n_candidates
        )) AS curve_settings
    FROM align_setting AS setting
    JOIN score USING (condition)
    WHERE $level IS NULL OR level = $level::VARCHAR
),

curve AS (
    SELECT *
    FROM scored
    QUALIFY
        min(n_pairs) OVER (PARTITION BY curve_settings)
        < max(n_pairs) OVER (PARTITION BY curve_settings)
),

numbered AS (
    SELECT
        *,
        dense_rank() OVER (
            ORDER BY
                trained_on,
                separation_id,
                level_number(level),
                arm DESC,
                lm,
                lm_init,
                lm_pooling,
                encoder,
                asked_on,
                names,
                class_list,
                split,
                curve_settings
        ) AS curve
    FROM curve
)

SELECT
    curve,
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
    asked_on,
    names,
    class_list,
    split,
    n_pairs,
    batch_size,
    top1,
    top1 - t_975(n_classes - 1) * sd / sqrt(n_classes) AS low,
    top1 + t_975(n_classes - 1) * sd / sqrt(n_classes) AS high,
    1 / n_candidates AS chance,
    n_classes,
    n_scored_runs AS n_runs
FROM numbered
ORDER BY curve, n_pairs, condition;
