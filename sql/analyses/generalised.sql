-- Generalised zero-shot accuracy: unseen classes against seen ones, when all are candidates
-- Grain: one row per condition (runs that differ by seeds only) and number of candidates.
--   Where a setting without a column differs, such as the LM's layer, each is a row.
-- Units: unseen, seen: share of pictures of unseen, of seen classes whose class stands first
--   among all candidates; mean over runs, then over classes; low, high: 95 % intervals, Student's t
--   over classes, NULL with one. harmonic = 2 unseen seen / (unseen + seen), 0 where both are 0,
--   NULL where one is missing; it has no interval, as it is no mean over classes. chance = 1 /
--   candidates, of each. alone: unseen classes among unseen ones only (task zero-shot).
-- Empty: no alignment was evaluated on unseen and seen classes together
-- Params: $level VARCHAR: one level; all when left out. $run VARCHAR: conditions of this run, an
--   id or its beginning; all when left out.
WITH part AS (
    SELECT
        condition,
        n_candidates,
        unseen,
        avg(top1 ORDER BY class_id) AS top1,
        stddev_samp(top1 ORDER BY class_id) AS sd,
        count(*) AS n_classes,
        t_975(count(*) - 1) * sd / sqrt(count(*)) AS half,
        sum(n_queries)::BIGINT AS n_pictures,
        max(n_runs) AS n_runs
    FROM align_seed_mean
    WHERE
        task = 'generalised'
        AND unseen IS NOT NULL
    GROUP BY ALL
),

alone AS (
    SELECT condition, avg(top1 ORDER BY class_id) AS top1
    FROM align_seed_mean
    WHERE task = 'zero-shot'
    GROUP BY condition
    HAVING count(DISTINCT n_candidates) = 1
),

beside AS (
    SELECT
        condition,
        n_candidates,
        any_value(top1) FILTER (unseen) AS unseen,
        any_value(half) FILTER (unseen) AS unseen_half,
        any_value(top1) FILTER (NOT unseen) AS seen,
        any_value(half) FILTER (NOT unseen) AS seen_half,
        coalesce(any_value(n_classes) FILTER (unseen), 0) AS n_unseen_classes,
        coalesce(any_value(n_classes) FILTER (NOT unseen), 0) AS n_seen_classes,
        sum(n_pictures)::BIGINT AS n_pictures,
        max(n_runs) AS n_runs
    FROM part
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
    unseen,
    unseen - unseen_half AS unseen_low,
    unseen + unseen_half AS unseen_high,
    seen,
    seen - seen_half AS seen_low,
    seen + seen_half AS seen_high,
    CASE WHEN unseen + seen = 0 THEN 0 ELSE 2 * unseen * seen / (unseen + seen) END AS harmonic,
    1 / n_candidates AS chance,
    alone.top1 AS alone,
    n_unseen_classes,
    n_seen_classes,
    n_pictures,
    beside.n_runs
FROM beside
JOIN align_setting USING (condition)
LEFT JOIN alone USING (condition)
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
    condition,
    n_candidates;
