-- Held-out answers where the leaf in the image was recognised, and where it was not
-- Not in S1. Splits what the model did not see from what it does not know: where the run told
--   the leaf from another, a wrong hypernym is not for want of recognition.
-- Grain: one row per condition, question_set (held_out, seen, unasked) and leaf_right: whether
--   the run answered every leaf question about the image right, its Yes and its No; NULL: the image
--   lacks one of the two, so that a lean to one answer would pass for recognition.
--   Of images with one Yes and one No a coin gets a quarter right, a constant answer none:
--   n_questions says on how many a row rests.
-- Units: macro_f1 and blind_f1 in [0, 1] as in hypernym_score, within the split: per run and
--   hypernym, mean over hypernyms, then over runs; accuracy in [0, 1]: right answers over
--   questions, mean over runs. n_questions: of a run, on average. n_single_class: groups of a run
--   and a hypernym without F1. n_runs: runs with such questions. Real image, test questions.
-- Empty: no finished run is in the store: `xmodal train` makes one, `xmodal store sync` brings
--   it in
-- Params: none
WITH asked AS (
    SELECT
        answered.run_id,
        example.image_id,
        example.kind,
        example.question_set,
        example.asked_id,
        example.answer,
        answered.predicted
    FROM answered
    JOIN run USING (run_id)
    JOIN example USING (manifest_id, example_id)
    WHERE answered.image_mode = 'real' AND example.split = 'test'
),

recognised AS (
    SELECT
        run_id,
        image_id,
        CASE WHEN count(DISTINCT answer) = 2 THEN bool_and(predicted = answer) END AS leaf_right
    FROM asked
    WHERE kind = 'leaf'
    GROUP BY run_id, image_id
),

counted AS (
    SELECT
        run_id,
        question_set,
        asked_id,
        leaf_right,
        count(*) FILTER (answer AND predicted) AS tp,
        count(*) FILTER (NOT answer AND predicted) AS fp,
        count(*) FILTER (answer AND NOT predicted) AS fn,
        count(*) FILTER (NOT answer AND NOT predicted) AS tn,
        tp + fn AS n_yes,
        tn + fp AS n_no,
        answer_f1(tp, fp, fn, tn) AS macro_f1,
        constant_f1(n_yes, n_no) AS blind_f1
    FROM asked
    LEFT JOIN recognised USING (run_id, image_id)
    WHERE kind = 'hypernym'
    GROUP BY run_id, question_set, asked_id, leaf_right
),

by_run AS (
    SELECT
        run_id,
        question_set,
        leaf_right,
        avg(macro_f1 ORDER BY asked_id) AS macro_f1,
        avg(blind_f1 ORDER BY asked_id) AS blind_f1,
        sum(n_yes + n_no)::BIGINT AS n_questions,
        sum(tp + tn)::BIGINT / n_questions AS accuracy,
        count(macro_f1) AS n_hypernyms,
        count(*) - count(macro_f1) AS n_single_class
    FROM counted
    GROUP BY run_id, question_set, leaf_right
),

condition AS (
    SELECT
        run_condition.* EXCLUDE (run_id, shared_settings),
        question_set,
        leaf_right,
        avg(macro_f1 ORDER BY run_id) AS macro_f1,
        avg(blind_f1 ORDER BY run_id) AS blind_f1,
        avg(accuracy ORDER BY run_id) AS accuracy,
        avg(n_questions ORDER BY run_id) AS n_questions,
        max(n_hypernyms) AS n_hypernyms,
        sum(n_single_class)::BIGINT AS n_single_class,
        count(*) AS n_runs
    FROM by_run
    JOIN run_condition USING (run_id)
    GROUP BY ALL
)

SELECT * EXCLUDE (hidden_settings)
FROM condition
ORDER BY ALL;
