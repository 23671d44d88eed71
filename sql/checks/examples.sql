-- Answers to questions that their manifest does not ask.
-- Grain: one row per column that names such questions; missing: how many answers; example: one
-- of the questions.
WITH named AS (
    SELECT 'prediction.example_id' AS place, manifest_id, example_id
    FROM prediction
    JOIN run USING (run_id)
    UNION ALL
    SELECT 'evaluation_prediction.example_id' AS place, manifest_id, example_id
    FROM evaluation_prediction
    JOIN evaluation USING (evaluation_id)
    UNION ALL
    SELECT 'ceiling_prediction.example_id' AS place, manifest_id, example_id
    FROM ceiling_prediction
    JOIN ceiling USING (ceiling_id)
)

SELECT place, count(*) AS missing, CAST(min(example_id) AS VARCHAR) AS example
FROM named
ANTI JOIN example USING (manifest_id, example_id)
GROUP BY place
ORDER BY place;
