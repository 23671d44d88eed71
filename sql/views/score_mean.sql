-- One number a run and question set, own and released runs alike, with the real picture.
-- Grain: run_id, question_set. Units: macro_f1, blind_f1, balanced_accuracy in [0, 1]: means
-- over what averaged_over says, blind_f1 over the same groups (NULL where one of them has no
-- blind guess). averaged_over: hypernyms; questions for own leaf questions, which are one group;
-- leaves for released ones. group_ids: what is in the mean, NULL for question_set leaf.
-- n_single_class: groups with true answers of one class; left out, but in the mean of the sets
-- as published (held_out_s1, seen_s1, leaf of released runs). It and n_questions are NULL where
-- they are not known of every group.
CREATE OR REPLACE VIEW score_mean AS
SELECT
    run_id,
    question_set,
    macro_f1,
    blind_f1,
    balanced_accuracy,
    CASE WHEN question_set <> 'leaf' THEN hypernym_ids::VARCHAR[] END AS group_ids,
    n_single_class,
    n_questions,
    CASE WHEN question_set = 'leaf' THEN 'questions' ELSE 'hypernyms' END AS averaged_over
FROM run_score
WHERE image_mode = 'real'
UNION ALL
SELECT
    run_id,
    question_set,
    avg(macro_f1 ORDER BY concept) AS macro_f1,
    CASE WHEN count(blind_f1) = count(macro_f1) THEN avg(blind_f1 ORDER BY concept) END AS blind_f1,
    NULL AS balanced_accuracy,
    CASE WHEN question_set <> 'leaf' THEN
        list(concept ORDER BY concept) FILTER (macro_f1 IS NOT NULL)
    END AS group_ids,
    CASE WHEN count(single_class) = count(*) THEN count(*) FILTER (single_class) END AS n_single_class,
    CASE WHEN count(n_questions) = count(*) THEN sum(n_questions)::BIGINT END AS n_questions,
    CASE WHEN question_set = 'leaf' THEN 'leaves' ELSE 'hypernyms' END AS averaged_over
FROM released_group
GROUP BY run_id, question_set;
