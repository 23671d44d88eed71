-- What each run answered about each leaf, hypernym by hypernym: the counts that are resampled.
-- Grain: run_id, image_mode, question_set, hypernym_id (NULL for question_set leaf), leaf_id (the
-- label leaf), answer. n: test questions; n_right: answered as the truth has it.
CREATE OR REPLACE VIEW leaf_answer AS
SELECT
    answered.run_id,
    answered.image_mode,
    example.question_set,
    CASE WHEN example.kind = 'hypernym' THEN example.asked_id END AS hypernym_id,
    example.label_leaf_id AS leaf_id,
    example.answer,
    count(*) AS n,
    count(*) FILTER (answered.predicted = example.answer) AS n_right
FROM answered
JOIN run USING (run_id)
JOIN example USING (manifest_id, example_id)
WHERE example.split = 'test'
GROUP BY ALL;
