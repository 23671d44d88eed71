-- Shapes of projections of alignments: the score by kind, depth, width and activation
-- Grain: one row per condition (runs that differ by seeds only) of a grid: conditions that differ
--   in the shape of the projected sides, two at least; recipes are equal but for name and shape,
--   dropout and dim are the same. grid numbers the grids.
-- Units: place: 1 for the best top1 of the grid, ties share it. top1: share of pictures whose
--   class stands first, mean over runs, then over classes; low, high: its 95 % interval,
--   Student's t over classes, NULL with one. chance = 1 / candidates. n_params: trained ones.
-- Empty: no two conditions of alignments differ in the shape of their projections alone
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
            ' ', data_settings, coalesce(level, ''), coalesce(arm, ''), size_settings,
            text_settings, image_settings, rest_settings, side, dropout, coalesce(dim, ''),
            asked_settings, n_candidates
        )) AS grid_settings
    FROM align_setting AS setting
    JOIN score USING (condition)
    WHERE $level IS NULL OR level = $level::VARCHAR
),

compared AS (
    SELECT *
    FROM scored
    QUALIFY
        min(shape) OVER (PARTITION BY grid_settings) < max(shape) OVER (PARTITION BY grid_settings)
),

numbered AS (
    SELECT
        *,
        rank() OVER (PARTITION BY grid_settings ORDER BY round(top1, 12) DESC) AS place,
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
                n_pairs,
                asked_on,
                names,
                class_list,
                split,
                grid_settings
        ) AS grid
    FROM compared
)

SELECT
    grid,
    trained_on,
    separation_id,
    level,
    arm,
    lm,
    lm_init,
    lm_kind,
    lm_pooling,
    encoder,
    n_pairs,
    asked_on,
    names,
    class_list,
    split,
    side,
    projection,
    depth,
    width,
    activation,
    n_params,
    place,
    top1,
    top1 - t_975(n_classes - 1) * sd / sqrt(n_classes) AS low,
    top1 + t_975(n_classes - 1) * sd / sqrt(n_classes) AS high,
    1 / n_candidates AS chance,
    n_classes,
    n_scored_runs AS n_runs
FROM numbered
ORDER BY grid, place, projection, depth, width, activation, condition;
