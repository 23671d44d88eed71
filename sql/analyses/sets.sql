-- Seen, held-out and leaf questions of every condition side by side
-- S1's figure of seen against unseen hypernyms and leaves. Own and released runs alike.
-- Grain: one row per condition.
-- Units: macro-F1 in [0, 1], mean over hypernyms, then over runs, real image; NULL where the
--   condition has no such questions. Each _blind_f1: the better constant answer on the same
--   groups. held_out_s1 and seen_s1 are the sets as S1 drew and published them, one-class
--   groups included. leaf_averaged_over: questions (own, one group) or leaves (S1, one F1 a
--   leaf): the two leaf numbers are not of one kind. n_runs: runs of the condition.
-- Empty: the store holds no finished run and no released one: `xmodal train` makes a run,
--   `xmodal import s1 PATH` reads the paper's
-- Params: none
WITH condition AS (
    SELECT
        run_condition.* EXCLUDE (run_id, shared_settings),
        avg(macro_f1 ORDER BY run_id) FILTER (question_set = 'held_out') AS held_out_f1,
        avg(blind_f1 ORDER BY run_id) FILTER (question_set = 'held_out') AS held_out_blind_f1,
        avg(macro_f1 ORDER BY run_id) FILTER (question_set = 'seen') AS seen_f1,
        avg(blind_f1 ORDER BY run_id) FILTER (question_set = 'seen') AS seen_blind_f1,
        avg(macro_f1 ORDER BY run_id) FILTER (question_set = 'unasked') AS unasked_f1,
        avg(blind_f1 ORDER BY run_id) FILTER (question_set = 'unasked') AS unasked_blind_f1,
        avg(macro_f1 ORDER BY run_id) FILTER (question_set = 'leaf') AS leaf_f1,
        avg(blind_f1 ORDER BY run_id) FILTER (question_set = 'leaf') AS leaf_blind_f1,
        max(averaged_over) FILTER (question_set = 'leaf') AS leaf_averaged_over,
        avg(macro_f1 ORDER BY run_id) FILTER (question_set = 'held_out_s1') AS held_out_s1_f1,
        avg(blind_f1 ORDER BY run_id) FILTER (question_set = 'held_out_s1')
            AS held_out_s1_blind_f1,
        avg(macro_f1 ORDER BY run_id) FILTER (question_set = 'seen_s1') AS seen_s1_f1,
        avg(blind_f1 ORDER BY run_id) FILTER (question_set = 'seen_s1') AS seen_s1_blind_f1,
        count(DISTINCT run_id) AS n_runs
    FROM score_mean
    JOIN run_condition USING (run_id)
    GROUP BY ALL
)

SELECT * EXCLUDE (hidden_settings)
FROM condition
ORDER BY ALL;
