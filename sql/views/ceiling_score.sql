-- Answers without an LM, hypernym by hypernym, on the test questions of their manifest.
-- Grain: ceiling_id, question_set, hypernym_id (NULL for question_set leaf).
-- Units: macro_f1 and blind_f1 in [0, 1] as in hypernym_score, NULL where the true answers are of
-- one class only; accuracy in [0, 1]; n_questions counts test questions.
CREATE OR REPLACE VIEW ceiling_score AS
WITH counted AS (
    SELECT
        ceiling.ceiling_id,
        example.question_set,
        CASE WHEN example.kind = 'hypernym' THEN example.asked_id END AS hypernym_id,
        count(*) FILTER (example.answer AND ceiling_prediction.predicted) AS tp,
        count(*) FILTER (NOT example.answer AND ceiling_prediction.predicted) AS fp,
        count(*) FILTER (example.answer AND NOT ceiling_prediction.predicted) AS fn,
        count(*) FILTER (NOT example.answer AND NOT ceiling_prediction.predicted) AS tn,
        tp + fn AS n_yes,
        tn + fp AS n_no
    FROM ceiling_prediction
    JOIN ceiling USING (ceiling_id)
    JOIN example USING (manifest_id, example_id)
    WHERE example.split = 'test'
    GROUP BY ALL
)

SELECT
    ceiling_id,
    question_set,
    hypernym_id,
    n_yes + n_no AS n_questions,
    answer_f1(tp, fp, fn, tn) AS macro_f1,
    constant_f1(n_yes, n_no) AS blind_f1,
    (tp + tn) / (n_yes + n_no) AS accuracy
FROM counted;
