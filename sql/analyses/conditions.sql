-- Hypernym and leaf questions of every condition, with and without the picture
-- Grain: one row per condition; its runs differ by seed only. hypernym_set is held_out where
--   the condition holds cells out, seen where it does not.
-- Units: macro-F1 in [0, 1] on test questions: mean over hypernyms, then over runs; _low and
--   _high are the least and the largest of the runs. blind_f1: the better constant answer;
--   mean_image_f1: the same questions with the mean training picture in place of the picture.
-- Params: none
WITH score AS (
    SELECT
        run.run_id,
        run.dataset_id AS dataset,
        run.lm,
        run.lm_init,
        run.encoder,
        run.recipe,
        run.prompt,
        manifest.design,
        manifest.unit,
        manifest.ratio,
        manifest.n_held_out_hypernyms,
        manifest.closure,
        manifest.mentions,
        manifest.negatives,
        manifest.train_leaf_negatives,
        manifest.shuffle,
        run_score.image_mode,
        run_score.question_set,
        run_score.macro_f1,
        run_score.blind_f1,
        CASE WHEN manifest.ratio > 0 THEN 'held_out' ELSE 'seen' END AS hypernym_set
    FROM run_score
    JOIN run USING (run_id)
    JOIN manifest USING (manifest_id)
)

SELECT
    score.* EXCLUDE (run_id, image_mode, question_set, macro_f1, blind_f1),
    avg(macro_f1 ORDER BY run_id)
        FILTER (question_set = hypernym_set AND image_mode = 'real') AS hypernym_f1,
    min(macro_f1) FILTER (question_set = hypernym_set AND image_mode = 'real') AS hypernym_low,
    max(macro_f1) FILTER (question_set = hypernym_set AND image_mode = 'real') AS hypernym_high,
    avg(blind_f1 ORDER BY run_id)
        FILTER (question_set = hypernym_set AND image_mode = 'real') AS blind_f1,
    avg(macro_f1 ORDER BY run_id)
        FILTER (question_set = hypernym_set AND image_mode = 'mean') AS mean_image_f1,
    avg(macro_f1 ORDER BY run_id)
        FILTER (question_set = 'leaf' AND image_mode = 'real') AS leaf_f1,
    min(macro_f1) FILTER (question_set = 'leaf' AND image_mode = 'real') AS leaf_low,
    max(macro_f1) FILTER (question_set = 'leaf' AND image_mode = 'real') AS leaf_high,
    avg(blind_f1 ORDER BY run_id)
        FILTER (question_set = 'leaf' AND image_mode = 'real') AS leaf_blind_f1,
    count(DISTINCT run_id) AS n_runs
FROM score
GROUP BY ALL
ORDER BY ALL;
