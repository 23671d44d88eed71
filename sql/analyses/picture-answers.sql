-- Everything that runs were asked about one picture, and what they answered
-- Grain: one row per question and run, real image, test questions and others that were asked.
-- Units: logits as the LM gave them; margin = logit_yes - logit_no, above 0 for Yes. leaf: what the
--   picture shows; label_leaf: what the run's manifest calls it, another leaf under a shuffle.
--   kind: leaf, or hypernym (of another relation too); answer (the truth, of the label leaf) and
--   predicted: true for Yes. question_set: held_out, seen, unasked or leaf.
-- Empty: no run was asked about this picture: only pictures of the splits that a run answered are
--   there, most often test
-- Params: $dataset VARCHAR: a whole dataset id; $image BIGINT: an image id of it.
SELECT
    kind,
    asked AS concept,
    asked_id AS concept_id,
    asked_role AS role,
    run_id,
    example_id,
    split,
    question_set,
    leaf,
    label_leaf,
    answer,
    predicted,
    is_right,
    logit_yes,
    logit_no,
    margin
FROM shown_answer
WHERE
    dataset_id = $dataset::VARCHAR
    AND image_id = $image::BIGINT
    AND image_mode = 'real'
ORDER BY kind, concept, concept_id, run_id, example_id;
