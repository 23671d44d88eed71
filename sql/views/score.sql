-- Scores of own and released runs, hypernym by hypernym, with the real picture.
-- Grain: run_id, question_set, hypernym, leaf. hypernym is NULL for leaf questions; leaf is NULL
-- but for leaf questions of released runs, which have one score a leaf (own ones have one group).
-- question_set: held_out, seen, unasked, leaf; held_out_s1 and seen_s1 as S1 drew its sets.
-- Units: scores in [0, 1]. macro_f1, blind_f1, balanced_accuracy: as in hypernym_score for own
-- runs and as in released_group for released ones. macro_f1_s1: the mean F1 over the labels that
-- occur among true and given answers, which stands for one-class groups too; blind_f1_s1: the
-- same of the better constant answer. single_class: the true answers are all Yes or all No.
-- Counts by answer and balanced_accuracy are NULL for released runs.
CREATE OR REPLACE VIEW score AS
WITH own AS (
    SELECT
        *,
        2 * tp / nullif(2 * tp + fp + fn, 0) AS f1_yes,
        2 * tn / nullif(2 * tn + fp + fn, 0) AS f1_no
    FROM hypernym_score
    WHERE image_mode = 'real'
)

SELECT
    run_id,
    question_set,
    hypernym,
    NULL::VARCHAR AS leaf,
    macro_f1,
    blind_f1,
    balanced_accuracy,
    (coalesce(f1_yes, f1_no) + coalesce(f1_no, f1_yes)) / 2 AS macro_f1_s1,
    coalesce(blind_f1, 1.0) AS blind_f1_s1,
    (tp + tn) / (n_yes + n_no) AS accuracy,
    n_yes + n_no AS n_questions,
    n_yes = 0 OR n_no = 0 AS single_class,
    n_yes,
    n_no,
    tp,
    fp,
    fn,
    tn
FROM own
UNION ALL
SELECT
    run_id,
    question_set,
    CASE WHEN question_set <> 'leaf' THEN concept END AS hypernym,
    CASE WHEN question_set = 'leaf' THEN concept END AS leaf,
    macro_f1,
    blind_f1,
    NULL AS balanced_accuracy,
    macro_f1_s1,
    blind_f1_s1,
    accuracy,
    n_questions,
    single_class,
    NULL AS n_yes,
    NULL AS n_no,
    NULL AS tp,
    NULL AS fp,
    NULL AS fn,
    NULL AS tn
FROM released_group;
