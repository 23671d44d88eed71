-- Macro-F1 of every condition, hypernym by hypernym: the mean over its runs
-- Own and released runs alike.
-- Grain: one row per condition, question_set and hypernym, real image; conditions as in
--   main-results.
-- Units: macro_f1, blind_f1 (the better constant answer on the same questions) and
--   balanced_accuracy in [0, 1], NULL where the true answers are of one class only (where no run
--   has one, for balanced_accuracy); blind_f1 NULL where a run lacks it. n_runs: runs in the
--   mean; run_ids: all runs of the condition that were asked.
-- Empty: the store holds no finished run and no released one: `xmodal train` makes a run,
--   `xmodal import s1 PATH` reads the paper's
-- Params: $run VARCHAR: a run id or its beginning, for its condition alone; $question_set VARCHAR:
--   held_out, seen, unasked, held_out_s1 or seen_s1; all when left out.
WITH condition AS (
    SELECT
        run_condition.* EXCLUDE (run_id, shared_settings),
        score.question_set,
        score.hypernym,
        avg(score.macro_f1 ORDER BY run_id) AS macro_f1,
        CASE WHEN count(score.blind_f1) = count(score.macro_f1) THEN
            avg(score.blind_f1 ORDER BY run_id)
        END AS blind_f1,
        avg(score.balanced_accuracy ORDER BY run_id) AS balanced_accuracy,
        count(score.macro_f1) AS n_runs,
        list(run_id ORDER BY run_id) AS run_ids
    FROM score
    JOIN run_condition USING (run_id)
    WHERE
        score.hypernym IS NOT NULL
        AND ($question_set IS NULL OR score.question_set = $question_set::VARCHAR)
    GROUP BY ALL
)

SELECT * EXCLUDE (hidden_settings)
FROM condition
WHERE
    $run IS NULL
    OR len(list_filter(run_ids, lambda one: starts_with(one, $run::VARCHAR))) > 0
ORDER BY ALL;
