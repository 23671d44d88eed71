-- What can be had without looking: the majority guess, and answers to other pictures
-- S1's baseline: the majority label guess, 39.2 mean F1 for hypernym and 38.9 for leaf questions.
--   Own and released runs alike; released ones were asked with the real image only.
-- Grain: one row per condition and question_set.
-- Units: macro-F1 in [0, 1], means as in @main-results. macro_f1: the real image; blind_f1: the
--   better of Yes always and No always, on the same groups (S1's majority guess); mean_image_f1,
--   zero_f1, noise_f1, other_leaf_f1: the same questions before the mean training picture, zeros,
--   noise, another leaf's picture; NULL where no run was evaluated that way. above_blind and
--   above_blindfold: macro_f1 less blind_f1, and less the best of the other four.
-- Empty: the store holds no finished run and no released one: `xmodal train` makes a run,
--   `xmodal import s1 PATH` reads the paper's
-- Params: none
WITH score_of AS (
    SELECT run_id, question_set, 'real' AS image_mode, macro_f1, blind_f1, averaged_over
    FROM score_mean
    UNION ALL
    SELECT run_id, question_set, image_mode, macro_f1, NULL AS blind_f1, NULL AS averaged_over
    FROM run_score
    WHERE image_mode <> 'real'
),

condition AS (
    SELECT
        run_condition.* EXCLUDE (run_id, shared_settings),
        question_set,
        avg(macro_f1 ORDER BY run_id) FILTER (image_mode = 'real') AS macro_f1,
        avg(blind_f1 ORDER BY run_id) AS blind_f1,
        avg(macro_f1 ORDER BY run_id) FILTER (image_mode = 'mean') AS mean_image_f1,
        avg(macro_f1 ORDER BY run_id) FILTER (image_mode = 'zero') AS zero_f1,
        avg(macro_f1 ORDER BY run_id) FILTER (image_mode = 'noise') AS noise_f1,
        avg(macro_f1 ORDER BY run_id) FILTER (image_mode = 'other-leaf') AS other_leaf_f1,
        max(averaged_over) AS averaged_over,
        count(DISTINCT run_id) AS n_runs
    FROM score_of
    JOIN run_condition USING (run_id)
    GROUP BY ALL
)

SELECT
    * EXCLUDE (hidden_settings, averaged_over, n_runs),
    macro_f1 - blind_f1 AS above_blind,
    macro_f1 - greatest(mean_image_f1, zero_f1, noise_f1, other_leaf_f1) AS above_blindfold,
    averaged_over,
    n_runs
FROM condition
ORDER BY ALL;
