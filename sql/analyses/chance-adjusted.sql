-- F1 above the blind guess, as a share of what there is above it
-- S1 reports F1 without its chance level, which differs between sets (39.2 on all hypernym
--   questions, 41.2 on the ablated categories). Own and released runs alike.
-- Grain: one row per condition and question_set.
-- Units: macro_f1, blind_f1 in [0, 1] as in @main-results. adjusted_f1 = (macro_f1 - blind_f1) /
--   (1 - blind_f1) of these means: 0 is the better constant answer, 1 all right, below 0 worse
--   than a constant; NULL where S1's sets hold groups of one true answer, whose blind guess of 1
--   would pass for chance. adjusted_by_hypernym: the same of each hypernym (mean over runs), then
--   the mean; a hypernym whose blind guess is 1 has none. kappa: Cohen's, agreement of given
--   and true answers beyond what their frequencies give, per run and hypernym, mean over both;
--   NULL for one class, and for released runs, which have no counts. NULL: no blind guess known.
-- Empty: the store holds no finished run and no released one: `xmodal train` makes a run,
--   `xmodal import s1 PATH` reads the paper's
-- Params: none
WITH by_hypernym AS MATERIALIZED (
    SELECT
        *,
        (tp + tn) / n_questions AS observed,
        (n_yes * (tp + fp) + n_no * (tn + fn)) / (n_questions * n_questions) AS expected,
        CASE WHEN NOT single_class THEN (observed - expected) / nullif(1 - expected, 0) END AS kappa
    FROM score
),

kappa_by_run AS (
    SELECT run_id, question_set, avg(kappa ORDER BY hypernym) AS kappa
    FROM by_hypernym
    GROUP BY run_id, question_set
),

-- one id for the settings of a condition, in place of twenty columns
condition_of AS (
    SELECT
        run_id,
        md5(json_merge_patch(to_json(run_condition), '{"run_id": null}'::JSON)::VARCHAR)
            AS condition_id
    FROM run_condition
),

hypernym_mean AS (
    SELECT
        condition_id,
        question_set,
        coalesce(hypernym, leaf) AS name,
        avg(macro_f1 ORDER BY run_id) AS f1,
        CASE WHEN count(blind_f1) = count(macro_f1) THEN avg(blind_f1 ORDER BY run_id) END AS blind
    FROM by_hypernym
    JOIN condition_of USING (run_id)
    GROUP BY ALL
),

adjusted AS (
    SELECT
        condition_id,
        question_set,
        avg((f1 - blind) / nullif(1 - blind, 0) ORDER BY name) AS adjusted_by_hypernym,
        bool_or(f1 IS NOT NULL AND blind = 1) AS has_one_class
    FROM hypernym_mean
    GROUP BY ALL
),

condition AS (
    SELECT
        run_condition.* EXCLUDE (run_id, shared_settings),
        condition_id,
        question_set,
        avg(macro_f1 ORDER BY run_id) AS macro_f1,
        CASE WHEN count(blind_f1) = count(macro_f1) THEN avg(blind_f1 ORDER BY run_id) END
            AS blind_f1,
        avg(kappa ORDER BY run_id) AS kappa,
        count(macro_f1) AS n_runs
    FROM score_mean
    JOIN kappa_by_run USING (run_id, question_set)
    JOIN run_condition USING (run_id)
    JOIN condition_of USING (run_id)
    GROUP BY ALL
)

SELECT
    * EXCLUDE (
        hidden_settings, condition_id, macro_f1, blind_f1, kappa, n_runs, adjusted_by_hypernym,
        has_one_class
    ),
    macro_f1,
    blind_f1,
    CASE WHEN NOT coalesce(has_one_class, false) THEN
        (macro_f1 - blind_f1) / nullif(1 - blind_f1, 0)
    END AS adjusted_f1,
    adjusted_by_hypernym,
    kappa,
    n_runs
FROM condition
JOIN adjusted USING (condition_id, question_set)
ORDER BY ALL;
