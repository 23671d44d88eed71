-- Macro-F1 of every condition on held-out, seen and leaf questions, beside the blind guess
-- Grain: one row per condition and question_set; runs of a condition differ by seed only.
-- Units: macro_f1 and blind_f1 in [0, 1], test questions with the real image. Per run and
--   hypernym the mean of F1(Yes) and F1(No); then the mean over hypernyms, then over runs.
--   question_set leaf is one group over all leaf questions, with n_hypernyms NULL.
-- n_hypernyms: hypernyms with a score in some run. n_single_class: groups of one run and one
--   hypernym left out because their true answers are all Yes or all No. n_runs: runs in the
--   mean. Conditions that differ in a setting without a column here, such as a changed
--   recipe, stay apart, in rows of their own: see hidden_settings of run_condition.
-- Params: none
WITH condition AS (
    SELECT
        run_condition.* EXCLUDE (run_id),
        run_score.question_set,
        avg(run_score.macro_f1 ORDER BY run_id) AS macro_f1,
        avg(run_score.blind_f1 ORDER BY run_id) AS blind_f1,
        len(list_distinct(flatten(list(coalesce(run_score.hypernym_ids, []))))) AS n_hypernyms,
        sum(run_score.n_single_class)::BIGINT AS n_single_class,
        count(run_score.macro_f1) AS n_runs
    FROM run_score
    JOIN run_condition USING (run_id)
    WHERE
        run_score.image_mode = 'real'
        AND run_score.question_set IN ('held_out', 'seen', 'leaf')
    GROUP BY ALL
)

SELECT
    * EXCLUDE (hidden_settings)
    REPLACE (CASE WHEN question_set <> 'leaf' THEN n_hypernyms END AS n_hypernyms)
FROM condition
ORDER BY ALL;
