-- What an evaluation of an alignment got right, class by class. Captions have no class and are
-- not in it.
-- Grain: evaluation_id, task, n_candidates, class_id.
-- Units: n_queries counts pictures (classes, of task text-to-image); top1, top5: share of them
-- whose first right candidate stands at rank 1, at rank 5 or before. n_placed: queries whose first
-- candidate is a known number of edges away from their class; edges: the mean of those, over right
-- and wrong answers; NULL without any.
CREATE OR REPLACE VIEW align_class_score AS
SELECT
    evaluation_id,
    task,
    n_candidates,
    class_id,
    unseen,
    count(*) AS n_queries,
    count(*) FILTER (rank <= 1) / count(*) AS top1,
    count(*) FILTER (rank <= 5) / count(*) AS top5,
    count(edges) AS n_placed,
    sum(edges) / nullif(count(edges), 0) AS edges
FROM align_answer
WHERE class_id IS NOT NULL
GROUP BY ALL;
