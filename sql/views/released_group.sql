-- Released scores by question set: as published, and again as held_out where training never said
-- Yes to the hypernym. Its No may have been trained: S1 keeps them.
-- Grain: run_id, question_set, concept (a hypernym, or a leaf where question_set is leaf).
-- question_set: held_out_s1, seen_s1 and leaf as released; held_out = the held_out_s1 rows that
-- hold every question whose answer is Yes (whole).
-- Units: scores in [0, 1]. macro_f1_s1 and blind_f1_s1 as released: the mean F1 over the labels
-- that occur, 1 for the blind guess where there is one true label only. macro_f1 and blind_f1:
-- the same, but NULL in held_out where the true answers are of one class. single_class: NULL
-- where no blind guess was released.
CREATE OR REPLACE VIEW released_group AS
SELECT
    run_id,
    question_set,
    concept,
    macro_f1_s1 AS macro_f1,
    blind_f1_s1 AS blind_f1,
    macro_f1_s1,
    blind_f1_s1,
    accuracy,
    n_questions,
    blind_f1_s1 = 1 AS single_class,
    whole
FROM released_score
UNION ALL
SELECT
    run_id,
    'held_out' AS question_set,
    concept,
    CASE WHEN blind_f1_s1 IS NULL OR blind_f1_s1 < 1 THEN macro_f1_s1 END AS macro_f1,
    CASE WHEN blind_f1_s1 < 1 THEN blind_f1_s1 END AS blind_f1,
    macro_f1_s1,
    blind_f1_s1,
    accuracy,
    n_questions,
    blind_f1_s1 = 1 AS single_class,
    whole
FROM released_score
WHERE question_set = 'held_out_s1' AND whole;
