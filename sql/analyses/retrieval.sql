-- Retrieval of alignments: pictures by text and texts by picture
-- Grain: one row per condition (runs that differ by seeds only), task (text-to-image: a class
--   name or caption among pictures; image-to-text: a picture among captions), number of
--   candidates, and whether queries are unseen classes (NULL for captions).
--   Where a setting without a column differs, such as the LM's layer, each is a row.
-- Units: recall1, recall5, recall10: share of queries with a right candidate at rank 1, up to 5,
--   up to 10; mean over runs, then over queries. low, high: 95 % interval of recall1, Student's t
--   over queries, NULL with one. chance: expected recall1 of a random order.
--   median_rank: of the first right candidate, 1 is best; mean of the runs' medians.
-- Empty: no alignment was evaluated on retrieval: `xmodal align evaluate` does that
-- Params: $task VARCHAR: text-to-image or image-to-text; both when left out. $run VARCHAR:
--   conditions of this run, an id or its beginning; all when left out.
WITH answer AS (
    SELECT
        condition,
        run_id,
        task,
        n_candidates,
        unseen,
        query_id,
        avg((rank <= 1)::INTEGER) AS hit1,
        avg((rank <= 5)::INTEGER) AS hit5,
        avg((rank <= 10)::INTEGER) AS hit10,
        avg(rank) AS rank,
        avg(n_right) AS n_right
    FROM align_answer
    JOIN align_condition USING (evaluation_id)
    WHERE
        task IN ('text-to-image', 'image-to-text')
        AND ($task IS NULL OR task = $task::VARCHAR)
    GROUP BY ALL
),

run_median AS (
    SELECT
        condition,
        run_id,
        task,
        n_candidates,
        unseen,
        median(rank) AS median_rank
    FROM answer
    GROUP BY ALL
),

condition_median AS (
    SELECT
        condition,
        task,
        n_candidates,
        unseen,
        avg(median_rank ORDER BY run_id) AS median_rank,
        count(*) AS n_runs
    FROM run_median
    GROUP BY ALL
),

query_mean AS (
    SELECT
        condition,
        task,
        n_candidates,
        unseen,
        query_id,
        avg(hit1) AS hit1,
        avg(hit5) AS hit5,
        avg(hit10) AS hit10,
        avg(n_right) AS n_right
    FROM answer
    GROUP BY ALL
),

recall AS (
    SELECT
        condition,
        task,
        n_candidates,
        unseen,
        avg(hit1 ORDER BY query_id) AS recall1,
        stddev_samp(hit1 ORDER BY query_id) AS sd,
        avg(hit5 ORDER BY query_id) AS recall5,
        avg(hit10 ORDER BY query_id) AS recall10,
        avg(n_right / n_candidates ORDER BY query_id) AS chance,
        count(*) AS n_queries
    FROM query_mean
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
    recall.task,
    recall.unseen,
    recall1,
    recall1 - t_975(n_queries - 1) * sd / sqrt(n_queries) AS low,
    recall1 + t_975(n_queries - 1) * sd / sqrt(n_queries) AS high,
    chance,
    recall5,
    recall10,
    median_rank,
    n_queries,
    recall.n_candidates,
    condition_median.n_runs
FROM recall
JOIN condition_median
    ON condition_median.condition = recall.condition
    AND condition_median.task = recall.task
    AND condition_median.n_candidates = recall.n_candidates
    AND condition_median.unseen IS NOT DISTINCT FROM recall.unseen
JOIN align_setting AS setting ON setting.condition = recall.condition
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
    names,
    class_list,
    split,
    recall.task,
    recall.unseen,
    recall.n_candidates,
    recall.condition;
