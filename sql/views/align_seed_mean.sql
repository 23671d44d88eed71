-- Scores of a condition of alignments, class by class: the mean over its runs. The unit of
-- intervals over classes: runs of one condition are asked the same, so that they are averaged
-- first and never count as independent values.
-- Grain: condition, task, n_candidates, class_id.
-- Units: n_queries, top1, top5 and edges as in align_class_score, mean over runs; a run that was
-- evaluated twice in one way counts once. n_runs: runs in the mean.
CREATE OR REPLACE VIEW align_seed_mean AS
WITH of_run AS (
    SELECT
        condition,
        run_id,
        task,
        n_candidates,
        class_id,
        unseen,
        avg(n_queries ORDER BY evaluation_id) AS n_queries,
        avg(top1 ORDER BY evaluation_id) AS top1,
        avg(top5 ORDER BY evaluation_id) AS top5,
        avg(edges ORDER BY evaluation_id) AS edges
    FROM align_class_score
    JOIN align_condition USING (evaluation_id)
    GROUP BY ALL
)

SELECT
    condition,
    task,
    n_candidates,
    class_id,
    unseen,
    avg(n_queries ORDER BY run_id) AS n_queries,
    avg(top1 ORDER BY run_id) AS top1,
    avg(top5 ORDER BY run_id) AS top5,
    avg(edges ORDER BY run_id) AS edges,
    count(*) AS n_runs
FROM of_run
GROUP BY ALL;
