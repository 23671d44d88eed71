-- What runs answered, question by question, with what the picture shows and what is asked in words.
-- Grain: run_id, image_mode, example_id. leaf: what the picture shows; label_leaf: what the run's
-- manifest calls it, another leaf under a shuffle. answer (the truth, of the label leaf) and
-- predicted: true for Yes. Units: logits as the LM gave them; margin = logit_yes - logit_no.
CREATE OR REPLACE VIEW shown_answer AS
SELECT
    answered.run_id,
    run.dataset_id,
    answered.image_mode,
    example.kind,
    example.split,
    example.question_set,
    asked.name AS asked,
    asked.concept_id AS asked_id,
    asked.role AS asked_role,
    example.example_id,
    example.image_id,
    leaf.name AS leaf,
    label_leaf.name AS label_leaf,
    example.answer,
    answered.predicted,
    answered.predicted = example.answer AS is_right,
    answered.logit_yes,
    answered.logit_no,
    answered.logit_yes::DOUBLE - answered.logit_no::DOUBLE AS margin
FROM answered
JOIN run USING (run_id)
JOIN example USING (manifest_id, example_id)
JOIN concept AS asked
    ON asked.dataset_id = run.dataset_id AND asked.concept_id = example.asked_id
JOIN concept AS label_leaf
    ON label_leaf.dataset_id = run.dataset_id AND label_leaf.concept_id = example.label_leaf_id
LEFT JOIN image
    ON image.dataset_id = run.dataset_id AND image.image_id = example.image_id
LEFT JOIN concept AS leaf
    ON leaf.dataset_id = run.dataset_id AND leaf.concept_id = image.concept_id;
