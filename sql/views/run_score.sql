-- One number a run and question set: the unweighted mean of hypernym_score over hypernyms.
-- Grain: run_id, image_mode, question_set. Units: macro_f1, blind_f1 and balanced_accuracy in
-- [0, 1].
-- A hypernym with answers of one class only has no F1: left out, counted in n_single_class.
-- hypernym_ids are those in the mean. NULL where every hypernym is left out. n_hypernyms is NULL for question_set leaf.
-- The order inside avg makes the last bits the same on every machine.
CREATE OR REPLACE VIEW run_score AS
SELECT
    run_id,
    image_mode,
    question_set,
    avg(macro_f1 ORDER BY hypernym_id) AS macro_f1,
    avg(blind_f1 ORDER BY hypernym_id) AS blind_f1,
    avg(balanced_accuracy ORDER BY hypernym_id) AS balanced_accuracy,
    list(hypernym_id ORDER BY hypernym_id) FILTER (macro_f1 IS NOT NULL) AS hypernym_ids,
    CASE WHEN question_set <> 'leaf' THEN count(macro_f1) END AS n_hypernyms,
    count(*) - count(macro_f1) AS n_single_class,
    sum(n_yes + n_no)::BIGINT AS n_questions
FROM hypernym_score
GROUP BY run_id, image_mode, question_set;
