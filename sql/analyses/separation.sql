-- Concept separation: how many classes each level and arm trains on, and what still leaks
-- Grain: one row per separation, level and arm, in the order of the levels.
-- Units: classes; n_leaks counts ties between an unseen class and a class in training (@leaks
--   lists them), n_leaking the unseen classes that have one.
-- Empty: no separation is in the store: `xmodal align split` makes one
-- Params: $separation VARCHAR: a separation id or its beginning; all when left out.
WITH leak AS (
    SELECT
        separation_id,
        level,
        arm,
        count(*) AS n_leaks,
        count(DISTINCT unseen_id) AS n_leaking
    FROM separation_leak
    GROUP BY ALL
),

counted AS (
    SELECT
        separation_id,
        dataset_id,
        seed,
        distance,
        level,
        arm,
        count(*) FILTER (status = 'unseen') AS n_unseen,
        count(*) FILTER (status = 'removed') AS n_removed,
        count(*) FILTER (in_training) AS n_training,
        coalesce(any_value(n_leaks), 0) AS n_leaks,
        coalesce(any_value(n_leaking), 0) AS n_leaking
    FROM separation
    JOIN separation_class USING (separation_id)
    LEFT JOIN leak USING (separation_id, level, arm)
    WHERE starts_with(separation_id, coalesce($separation, ''))
    GROUP BY ALL
)

SELECT *
FROM counted
ORDER BY
    separation_id,
    list_position(['none', 'lemma', 'synset', 'subtree', 'branch', 'similar'], level),
    arm DESC;
