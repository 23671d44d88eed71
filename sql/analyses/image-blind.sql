-- Macro-F1 with the real image beside mean, zero, noise and another leaf's image
-- Grain: one row per condition and question_set, conditions as in main-results.
-- Units: macro_f1 in [0, 1], mean over hypernyms, then over runs; a column is NULL where no run
--   was evaluated that way. blind_f1: the better constant answer on the real image's questions.
-- Empty: no finished run is in the store: `xmodal train` makes one, `xmodal store sync` brings
--   it in
-- Params: none
WITH condition AS (
    SELECT
        run_condition.* EXCLUDE (run_id, shared_settings),
        question_set,
        avg(macro_f1 ORDER BY run_id) FILTER (image_mode = 'real') AS "real",
        avg(macro_f1 ORDER BY run_id) FILTER (image_mode = 'mean') AS mean,
        avg(macro_f1 ORDER BY run_id) FILTER (image_mode = 'zero') AS zero,
        avg(macro_f1 ORDER BY run_id) FILTER (image_mode = 'noise') AS noise,
        avg(macro_f1 ORDER BY run_id) FILTER (image_mode = 'other-leaf') AS other_leaf,
        avg(blind_f1 ORDER BY run_id) FILTER (image_mode = 'real') AS blind_f1,
        count(DISTINCT run_id) AS n_runs
    FROM run_score
    JOIN run_condition USING (run_id)
    GROUP BY ALL
)

SELECT * EXCLUDE (hidden_settings)
FROM condition
ORDER BY ALL;
