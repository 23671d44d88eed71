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
    run_id,
    question_set,
    asked AS hypernym,
    asked_id AS hypernym_id,
    example_id,
    image_id,
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
    image_mode = 'real'
    AND split = 'test'
    AND kind = 'hypernym'
    AND ($run IS NULL OR starts_with(run_id, $run::VARCHAR))
    AND ($hypernym IS NULL OR asked = $hypernym::VARCHAR)
    AND ($question_set IS NULL OR question_set = $question_set::VARCHAR)
ORDER BY run_id, question_set, hypernym, example_id;
