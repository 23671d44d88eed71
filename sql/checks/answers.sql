-- Runs and evaluations that did not answer each question of what they were asked exactly once.
-- A run is asked, in each picture mode, every question of the splits that it answered anything of,
-- but for questions about pictures that its features lack; an evaluation is asked those of one
-- split.
-- Grain: one row per run or evaluation, picture mode and split where n_answers, n_different and
-- n_asked are not all the same.
WITH asked AS (
    SELECT run_id AS id, manifest_id, feature_set_id
    FROM run
    UNION ALL
    SELECT evaluation.evaluation_id AS id, evaluation.manifest_id, run.feature_set_id
    FROM evaluation
    JOIN run USING (run_id)
    UNION ALL
    SELECT evaluation.evaluation_id AS id, evaluation.manifest_id, card_run.feature_set_id
    FROM evaluation
    JOIN card_run USING (run_id)
),

said AS (
    SELECT run_id AS id, image_mode, example_id, count(*) AS n
    FROM prediction
    GROUP BY ALL
    UNION ALL
    SELECT evaluation_id AS id, image_mode, example_id, count(*) AS n
    FROM evaluation_prediction
    JOIN evaluation USING (evaluation_id)
    GROUP BY ALL
),

answered AS (
    SELECT id, image_mode, split, sum(n)::BIGINT AS n_answers, count(*) AS n_different
    FROM said
    JOIN asked USING (id)
    JOIN example USING (manifest_id, example_id)
    GROUP BY ALL
),

questions AS (
    SELECT id, example.split, count(*) AS n_asked
    FROM asked
    JOIN example USING (manifest_id)
    ANTI JOIN skipped_image
        ON asked.feature_set_id = skipped_image.feature_set_id
        AND example.image_id = skipped_image.image_id
    GROUP BY ALL
)

SELECT id, image_mode, split, n_answers, n_different, n_asked
FROM answered
JOIN questions USING (id, split)
WHERE n_answers <> n_different OR n_different <> n_asked
ORDER BY ALL;
