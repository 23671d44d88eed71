-- Macro-F1 of every condition on held-out, seen and leaf questions, beside the blind guess
-- S1's main figure: F1 by ablation, for each LM and its random-weight control. Own and released
--   runs alike.
-- Grain: one row per condition and question_set; runs of a condition differ by seed only.
-- Units: macro_f1 and blind_f1 in [0, 1], test questions with the real image. Per run and
--   hypernym the mean of F1(Yes) and F1(No); then the mean over hypernyms, then over runs.
--   averaged_over says what the mean is over: hypernyms; questions for own leaf questions, one
--   group with n_hypernyms NULL; leaves for S1's leaf questions, one F1 a leaf.
-- question_set: held_out asks cells held out and nothing else. S1's released sets are
--   held_out_s1 and seen_s1: held_out_s1 also asks hypernyms that training did ask, of leaves
--   that lost them. Released runs are in held_out with the hypernyms that training never
--   affirmed: all 53 at ratio 1, the ablated ones of design systematic.
-- n_hypernyms: hypernyms with a score in some run. n_single_class: groups of one run and one
--   hypernym whose true answers are all Yes or all No: left out, but in the mean of
--   held_out_s1, seen_s1 and S1's leaf, as published. n_runs: runs in the mean. Conditions that
--   differ in a setting without a column here, such as a changed recipe, stay apart, in rows of
--   their own: see hidden_settings of run_condition.
-- Empty: the store holds no finished run and no released one: `xmodal train` makes a run,
--   `xmodal import s1 PATH` reads the paper's
-- Params: none
WITH condition AS (
    SELECT
        run_condition.* EXCLUDE (run_id, shared_settings),
        score_mean.question_set,
        avg(score_mean.macro_f1 ORDER BY run_id) AS macro_f1,
        CASE WHEN count(score_mean.blind_f1) = count(score_mean.macro_f1) THEN
            avg(score_mean.blind_f1 ORDER BY run_id)
        END AS blind_f1,
        len(list_distinct(flatten(list(coalesce(score_mean.group_ids, []))))) AS n_hypernyms,
        CASE WHEN count(score_mean.n_single_class) = count(*) THEN
            sum(score_mean.n_single_class)::BIGINT
        END AS n_single_class,
        count(score_mean.macro_f1) AS n_runs,
        score_mean.averaged_over
    FROM score_mean
    JOIN run_condition USING (run_id)
    WHERE score_mean.question_set IN ('held_out', 'seen', 'leaf', 'held_out_s1', 'seen_s1')
    GROUP BY ALL
)

SELECT
    * EXCLUDE (hidden_settings)
    REPLACE (CASE WHEN question_set <> 'leaf' THEN n_hypernyms END AS n_hypernyms)
FROM condition
ORDER BY ALL;
