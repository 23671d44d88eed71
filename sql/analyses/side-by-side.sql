-- Macro-F1 of two runs or two conditions side by side, hypernym by hypernym
-- Own and released runs alike. Each side stands with what it is about: held-out questions where
--   it has some (as published, where there are no others), seen ones where it has none.
-- Grain: one row per hypernym that either side was asked; the largest difference first, then those
--   without one.
-- Units: a_f1 and b_f1 in [0, 1]: means over the runs of a side, NULL where no run has one; a_blind
--   and b_blind: the better constant answer to the same questions, NULL where a run lacks it;
--   difference = a_f1 - b_f1. a_set and b_set: the question_set of each side; a_runs and b_runs:
--   runs in the mean.
-- Empty: neither side was asked about a hypernym: `xmodal query @runs-overview` lists runs
-- Params: $a VARCHAR and $b VARCHAR: whole ids of two runs, which stand for all runs of their
--   conditions; $single BOOLEAN: true for these two runs alone.
WITH condition AS (
    SELECT * EXCLUDE (run_id, shared_settings), list(run_id) AS run_ids
    FROM run_condition
    GROUP BY ALL
),

given AS (
    SELECT 'a' AS side, $a::VARCHAR AS run_id
    UNION ALL
    SELECT 'b' AS side, $b::VARCHAR AS run_id
),

member AS (
    SELECT
        given.side,
        unnest(
            CASE WHEN coalesce($single::BOOLEAN, false)
                THEN [given.run_id]
                ELSE condition.run_ids
            END
        ) AS run_id
    FROM given
    JOIN condition ON list_contains(condition.run_ids, given.run_id)
),

asked AS (
    SELECT
        member.side,
        score.*,
        list_position(
            ['held_out', 'held_out_s1', 'seen', 'seen_s1', 'unasked'], score.question_set
        ) AS place
    FROM member
    JOIN score USING (run_id)
    WHERE score.hypernym IS NOT NULL
),

told AS (
    SELECT *
    FROM asked
    QUALIFY place = min(place) OVER (PARTITION BY side)
),

mean AS (
    SELECT
        side,
        hypernym,
        any_value(question_set) AS question_set,
        avg(macro_f1 ORDER BY run_id) AS macro_f1,
        CASE WHEN count(blind_f1) = count(macro_f1) THEN
            avg(blind_f1 ORDER BY run_id)
        END AS blind_f1,
        count(macro_f1) AS n_runs
    FROM told
    GROUP BY ALL
)

SELECT
    hypernym,
    a.macro_f1 AS a_f1,
    b.macro_f1 AS b_f1,
    a.macro_f1 - b.macro_f1 AS difference,
    a.blind_f1 AS a_blind,
    b.blind_f1 AS b_blind,
    a.question_set AS a_set,
    b.question_set AS b_set,
    a.n_runs AS a_runs,
    b.n_runs AS b_runs
FROM (SELECT * FROM mean WHERE side = 'a') AS a
FULL JOIN (SELECT * FROM mean WHERE side = 'b') AS b USING (hypernym)
ORDER BY difference DESC NULLS LAST, hypernym;
