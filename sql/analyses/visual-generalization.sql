-- The visual generalization score of LMs: zero-shot accuracy by what an LM knows of unseen classes
-- S2's main table. The score needs a level at which unseen classes are really unseen: at level
--   none training sees them.
-- Grain: one row per condition (runs that differ by seeds only) and number of candidates; within
--   what is else equal the best LM stands first.
--   Where a setting without a column differs, such as the LM's layer, each is a row.
-- Units: score: share of pictures of unseen classes whose class stands first among unseen
--   classes; mean over runs, then over classes. low, high: its 95 % interval, Student's t over
--   classes, NULL with one. chance = 1 / candidates. n_lm_parameters: weights without the head.
-- Empty: no alignment was evaluated on unseen classes: `xmodal align split` makes them unseen,
--   `xmodal align train` trains on the others
-- Params: $level VARCHAR: one level; all when left out. $arm VARCHAR: separated or control; both
--   when left out.
WITH condition_mean AS (
    SELECT
        condition,
        n_candidates,
        avg(top1 ORDER BY class_id) AS score,
        stddev_samp(top1 ORDER BY class_id) AS sd,
        count(*) AS n_classes,
        max(n_runs) AS n_runs
    FROM align_seed_mean
    WHERE task = 'zero-shot'
    GROUP BY ALL
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
    lm,
    lm_init,
    lm_kind,
    lm_pooling,
    lm_layer,
    n_lm_parameters,
    score,
    score - t_975(n_classes - 1) * sd / sqrt(n_classes) AS low,
    score + t_975(n_classes - 1) * sd / sqrt(n_classes) AS high,
    1 / n_candidates AS chance,
    n_classes,
    condition_mean.n_runs
FROM condition_mean
JOIN align_setting USING (condition)
WHERE
    ($level IS NULL OR level = $level::VARCHAR)
    AND ($arm IS NULL OR arm = $arm::VARCHAR)
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
    data_settings,
    image_settings,
    recipe_settings,
    asked_settings,
    size_settings,
    score DESC,
    lm,
    condition;
