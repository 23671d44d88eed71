-- How far wrong answers of alignments are from the truth, in edges of WordNet's hypernym graph
-- Grain: one row per condition (runs that differ by seeds only), task and number of candidates.
--   Where a setting without a column differs, such as the LM's layer, each is a row.
-- Units: over all pictures of a run, then mean over runs. edges: mean edges from a picture's class
--   to the candidate that stands first, right ones count 0; wrong_edges: mean over wrong ones
--   only; within2, within4: share of wrong ones that are up to 2 (such as siblings), up to 4 edges
--   (such as cousins) away. Where one of the two classes has no place in the graph there are no
--   edges: such pictures are left out of all four and counted in n_unplaced. n_wrong: wrong ones
--   with edges. NULL where nothing is left. n_: of a run, on average.
-- Empty: no alignment was evaluated on pictures of classes: `xmodal align evaluate` does that
-- Params: $task VARCHAR: zero-shot, seen or generalised; all when left out. $level VARCHAR: one
--   level; all when left out. $run VARCHAR: conditions of this run, an id or its beginning; all
--   when left out.
WITH evaluated AS (
    SELECT
        evaluation_id,
        task,
        n_candidates,
        count(*) AS n_pictures,
        count(*) - count(edges) AS n_unplaced,
        count(edges) FILTER (rank > 1) AS n_wrong,
        sum(edges) / nullif(count(edges), 0) AS edges,
        sum(edges) FILTER (rank > 1) / nullif(n_wrong, 0) AS wrong_edges,
        count(*) FILTER (rank > 1 AND edges <= 2) / nullif(n_wrong, 0) AS within2,
        count(*) FILTER (rank > 1 AND edges <= 4) / nullif(n_wrong, 0) AS within4
    FROM align_answer
    WHERE
        class_id IS NOT NULL
        AND task IN ('zero-shot', 'seen', 'generalised')
        AND ($task IS NULL OR task = $task::VARCHAR)
    GROUP BY ALL
),

run_mean AS (
    SELECT
        condition,
        run_id,
        task,
        n_candidates,
        avg(n_pictures ORDER BY evaluation_id) AS n_pictures,
        avg(n_unplaced ORDER BY evaluation_id) AS n_unplaced,
        avg(n_wrong ORDER BY evaluation_id) AS n_wrong,
        avg(edges ORDER BY evaluation_id) AS edges,
        avg(wrong_edges ORDER BY evaluation_id) AS wrong_edges,
        avg(within2 ORDER BY evaluation_id) AS within2,
        avg(within4 ORDER BY evaluation_id) AS within4
    FROM evaluated
    JOIN align_condition USING (evaluation_id)
    GROUP BY ALL
),

condition_mean AS (
    SELECT
        condition,
        task,
        n_candidates,
        avg(edges ORDER BY run_id) AS edges,
        avg(wrong_edges ORDER BY run_id) AS wrong_edges,
        avg(within2 ORDER BY run_id) AS within2,
        avg(within4 ORDER BY run_id) AS within4,
        avg(n_pictures ORDER BY run_id) AS n_pictures,
        avg(n_wrong ORDER BY run_id) AS n_wrong,
        avg(n_unplaced ORDER BY run_id) AS n_unplaced,
        count(*) AS n_runs
    FROM run_mean
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
    edges,
    wrong_edges,
    within2,
    within4,
    n_pictures::BIGINT AS n_pictures,
    n_wrong,
    n_unplaced,
    n_candidates,
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
    n_candidates,
    condition;
