-- F1 of each run on its test questions, hypernym by hypernym; leaf questions are one group.
-- Grain: run_id, image_mode, question_set, hypernym_id (NULL for question_set leaf).
-- Units: macro_f1, blind_f1 and balanced_accuracy in [0, 1]; n_, tp, fp, fn, tn count test
--   questions.
-- macro_f1 = mean of F1(Yes) = 2tp / (2tp + fp + fn) and F1(No) = 2tn / (2tn + fp + fn).
-- blind_f1 = the better of answering Yes always and No always.
-- balanced_accuracy = mean of the shares of true Yes and of true No that were answered right;
--   0.5 for one answer to every question of the group.
-- All three are NULL where the true answers are all Yes or all No.
CREATE OR REPLACE VIEW hypernym_score AS
WITH test AS (
    SELECT
        rowid AS number,
        manifest_id,
        example_id,
        question_set,
        answer,
        CASE WHEN kind = 'hypernym' THEN asked_id END AS hypernym_id
    FROM example
    WHERE split = 'test'
),

-- answers are counted by one number: ten million of them in half the time of four columns
numbered AS (
    SELECT manifest_id, question_set, hypernym_id, min(number) AS of
    FROM test
    GROUP BY ALL
),

asked AS (
    SELECT test.manifest_id, test.example_id, test.answer, numbered.of
    FROM test
    JOIN numbered
        ON numbered.manifest_id = test.manifest_id
        AND numbered.question_set = test.question_set
        AND numbered.hypernym_id IS NOT DISTINCT FROM test.hypernym_id
),

told AS (
    SELECT
        answered.run_id,
        answered.image_mode,
        asked.of,
        count(*) AS n,
        count(*) FILTER (asked.answer) AS n_yes,
        count(*) FILTER (answered.predicted) AS said_yes,
        count(*) FILTER (asked.answer AND answered.predicted) AS tp
    FROM answered
    JOIN run USING (run_id)
    JOIN asked USING (manifest_id, example_id)
    GROUP BY ALL
),

counted AS (
    SELECT
        told.run_id,
        told.image_mode,
        run.dataset_id,
        numbered.question_set,
        numbered.hypernym_id,
        told.n_yes,
        told.n - told.n_yes AS n_no,
        told.tp,
        told.said_yes - told.tp AS fp,
        told.n_yes - told.tp AS fn,
        told.n - told.n_yes - told.said_yes + told.tp AS tn
    FROM told
    JOIN numbered USING (of)
    JOIN run USING (run_id)
)

SELECT
    counted.run_id,
    counted.image_mode,
    counted.question_set,
    counted.hypernym_id,
    concept.name AS hypernym,
    counted.n_yes,
    counted.n_no,
    counted.tp,
    counted.fp,
    counted.fn,
    counted.tn,
    answer_f1(tp, fp, fn, tn) AS macro_f1,
    constant_f1(n_yes, n_no) AS blind_f1,
    CASE WHEN n_yes > 0 AND n_no > 0 THEN (tp / n_yes + tn / n_no) / 2 END AS balanced_accuracy
FROM counted
LEFT JOIN concept
    ON concept.dataset_id = counted.dataset_id
    AND concept.concept_id = counted.hypernym_id;
