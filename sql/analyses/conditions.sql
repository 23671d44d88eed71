-- Hypernym and leaf questions of every condition, with and without the picture
-- Grain: one row per condition, conditions as in main-results. hypernym_set is held_out where
--   the condition holds cells out, seen where it does not.
-- Units: macro-F1 in [0, 1] on test questions: mean over hypernyms, then over runs; _min and
--   _max are the least and the largest of the runs. blind_f1: the better constant answer;
--   hypernym_accuracy: balanced accuracy of the same answers, 0.5 on average for any guess;
--   mean_image_f1: the same questions with the mean training picture in place of the picture.
-- Empty: no finished run is in the store: `xmodal train` makes one, `xmodal store sync` brings
--   it in
-- Params: none
WITH score AS (
    SELECT
        run_condition.* EXCLUDE (shared_settings),
        CASE WHEN ratio > 0 THEN 'held_out' ELSE 'seen' END AS hypernym_set,
        question_set = hypernym_set AND image_mode = 'real' AS is_hypernym,
        question_set = hypernym_set AND image_mode = 'mean' AS is_mean_image,
        question_set = 'leaf' AND image_mode = 'real' AS is_leaf,
        macro_f1,
        blind_f1 AS blind,
        balanced_accuracy AS accuracy
    FROM run_score
    JOIN run_condition USING (run_id)
),

condition AS (
    SELECT
        score.* EXCLUDE (run_id, is_hypernym, is_mean_image, is_leaf, macro_f1, blind, accuracy),
        avg(macro_f1 ORDER BY run_id) FILTER (is_hypernym) AS hypernym_f1,
        min(macro_f1) FILTER (is_hypernym) AS hypernym_min,
        max(macro_f1) FILTER (is_hypernym) AS hypernym_max,
        avg(blind ORDER BY run_id) FILTER (is_hypernym) AS blind_f1,
        avg(accuracy ORDER BY run_id) FILTER (is_hypernym) AS hypernym_accuracy,
        avg(macro_f1 ORDER BY run_id) FILTER (is_mean_image) AS mean_image_f1,
        avg(macro_f1 ORDER BY run_id) FILTER (is_leaf) AS leaf_f1,
        min(macro_f1) FILTER (is_leaf) AS leaf_min,
        max(macro_f1) FILTER (is_leaf) AS leaf_max,
        avg(blind ORDER BY run_id) FILTER (is_leaf) AS leaf_blind_f1,
        count(DISTINCT run_id) AS n_runs,
        list_sort(list(DISTINCT run_id)) AS run_ids
    FROM score
    GROUP BY ALL
)

SELECT * EXCLUDE (hidden_settings)
FROM condition
ORDER BY ALL;
