-- The retrieval task in words: an LM's accuracy by length of the context
-- Grain: one row per LM and number of objects. Where a setting without a column differs, each is a
--   row.
-- Units: n_tokens: mean of a prompt. accuracy: share of questions whose right item has the highest
--   logit of all items of the scene; chance = 1 / objects. open_accuracy: the highest of the whole
--   vocabulary. low, high, open_low, open_high: Wilson's 95 % interval over questions.
-- Empty: no LM was asked the task in words: `xmodal binding retrieve` does that
-- Params: $lm VARCHAR: one LM; all when left out.
SELECT
    lm,
    lm_revision,
    is_vlm,
    vocabulary,
    n_objects,
    n_tokens,
    n_right / n_questions AS accuracy,
    wilson_low(n_right / n_questions, n_questions) AS low,
    wilson_high(n_right / n_questions, n_questions) AS high,
    1 / n_objects AS chance,
    n_right_open / n_questions AS open_accuracy,
    wilson_low(n_right_open / n_questions, n_questions) AS open_low,
    wilson_high(n_right_open / n_questions, n_questions) AS open_high,
    n_questions
FROM binding_retrieved
WHERE $lm IS NULL OR lm = $lm::VARCHAR
ORDER BY
    lm,
    lm_revision,
    lm_hash,
    is_vlm,
    context DESC,
    vocabulary,
    settings,
    n_objects;
