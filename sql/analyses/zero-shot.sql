-- Zero-shot accuracy of alignments: whether pictures find their class, condition by condition
-- Grain: one row per condition (runs that differ by seeds only), task and number of candidates.
--   zero-shot: pictures of unseen classes among unseen classes; seen: of seen ones among seen
--   ones; generalised: all of them among all classes (@generalised tells the two apart).
--   Where a setting without a column differs, such as the LM's layer, each is a row.
-- Units: top1, top5: share of pictures whose class is the first, or among the first five; mean
--   over runs, then over classes, so that every class counts the same. low, high: 95 % interval
--   of top1, low5, high5 of top5, Student's t over classes, NULL with one. chance, chance5: of a
--   guess, 1 / candidates and 5 / candidates. micro1, micro5: share of all pictures. n_pictures:
--   of a run.
-- Empty: no alignment was evaluated on pictures of classes: `xmodal align evaluate` does that
-- Params: $task VARCHAR: one task; all when left out. $level VARCHAR: one level; all when left
--   out. $run VARCHAR: conditions of this run, an id or its beginning; all when left out.
WITH condition_mean AS (
    SELECT
        condition,
        task,
        n_candidates,
        avg(top1 ORDER BY class_id) AS top1,
        stddev_samp(top1 ORDER BY class_id) AS sd,
        avg(top5 ORDER BY class_id) AS top5,
        stddev_samp(top5 ORDER BY class_id) AS sd5,
        sum(n_queries * top1 ORDER BY class_id) / sum(n_queries) AS micro1,
        sum(n_queries * top5 ORDER BY class_id) / sum(n_queries) AS micro5,
        count(*) AS n_classes,
        sum(n_queries)::BIGINT AS n_pictures,
        max(n_runs) AS n_runs
    FROM align_seed_mean
    WHERE
        task IN ('zero-shot', 'seen', 'generalised')
        AND ($task IS NULL OR task = $task::VARCHAR)
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
    names,
    class_list,
    split,
    task,
    top1,
    top1 - t_975(n_classes - 1) * sd / sqrt(n_classes) AS low,
    top1 + t_975(n_classes - 1) * sd / sqrt(n_classes) AS high,
    1 / n_candidates AS chance,
    top5,
    top5 - t_975(n_classes - 1) * sd5 / sqrt(n_classes) AS low5,
    top5 + t_975(n_classes - 1) * sd5 / sqrt(n_classes) AS high5,
    least(1, 5 / n_candidates) AS chance5,
    micro1,
    micro5,
    n_classes,
    n_pictures,
    condition_mean.n_runs
FROM condition_mean
JOIN align_setting USING (condition)
WHERE
    ($level IS NULL OR level = $level::VARCHAR)
    AND (
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
    names,
    class_list,
    split,
    task,
    condition;
