-- What a run answered to each hypernym question, picture by picture, with its margin
-- Grain: one row per run and test question about a hypernym, real image.
-- Units: logits as the LM gave them; margin = logit_yes - logit_no, above 0 for Yes. leaf: what the
--   picture shows; label_leaf: what training calls it, another leaf under a shuffle. answer
--   (the truth, of the label leaf) and predicted: true for Yes.
-- Empty: no finished run is in the store: `xmodal train` makes one, `xmodal store sync` brings
--   it in
-- Params: $run VARCHAR: a run id or its beginning; $hypernym VARCHAR: a name; $question_set
--   VARCHAR: held_out, seen or unasked; all when left out.
SELECT
    answered.run_id,
    example.question_set,
    asked.name AS hypernym,
    asked.concept_id AS hypernym_id,
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
    ON leaf.dataset_id = run.dataset_id AND leaf.concept_id = image.concept_id
WHERE
    answered.image_mode = 'real'
    AND example.split = 'test'
    AND example.kind = 'hypernym'
    AND ($run IS NULL OR starts_with(answered.run_id, $run::VARCHAR))
    AND ($hypernym IS NULL OR asked.name = $hypernym::VARCHAR)
    AND ($question_set IS NULL OR example.question_set = $question_set::VARCHAR)
ORDER BY answered.run_id, example.question_set, hypernym, example.example_id;
