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
    example.kind,
    asked.name AS concept,
    asked.concept_id,
    asked.role,
    answered.run_id,
    example.example_id,
    example.split,
    example.question_set,
    leaf.name AS leaf,
    label_leaf.name AS label_leaf,
    example.answer,
    answered.predicted,
    answered.predicted = example.answer AS is_right,
    answered.logit_yes,
    answered.logit_no,
    answered.logit_yes::DOUBLE - answered.logit_no::DOUBLE AS margin
FROM run
JOIN example USING (manifest_id)
JOIN answered USING (run_id, example_id)
JOIN concept AS asked
    ON asked.dataset_id = run.dataset_id AND asked.concept_id = example.asked_id
JOIN concept AS label_leaf
    ON label_leaf.dataset_id = run.dataset_id AND label_leaf.concept_id = example.label_leaf_id
LEFT JOIN image
    ON image.dataset_id = run.dataset_id AND image.image_id = example.image_id
LEFT JOIN concept AS leaf
    ON leaf.dataset_id = run.dataset_id AND leaf.concept_id = image.concept_id
WHERE
    run.dataset_id = $dataset::VARCHAR
    AND example.image_id = $image::BIGINT
    AND answered.image_mode = 'real'
ORDER BY example.kind, concept, asked.concept_id, answered.run_id, example.example_id;
