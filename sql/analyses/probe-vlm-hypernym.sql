-- What the LM knows in text beside what it says of pictures, hypernym by hypernym
-- Grain: one row per condition, question_set (held_out, held_out_s1), probe (task, phrasing,
--   template, chat, probe_seed, n_probe_pairs; all NULL for released ones) and hypernym.
-- Units: over held-out test questions, real image, each held against the probe's answer to its
--   pair (label leaf, hypernym): n_yes and n_no by true answer, n_not_asked of a pair that the
--   probe did not ask, all of a run on average. Task yes_no asks every pair of the test questions
--   of the manifests that are stored when it is asked. A probe of before it did has one drawn No
--   a Yes, so that n_no is small: ask again. Tasks sentence and choice ask true pairs: n_no is 0.
--   Shares in [0, 1] of the n_yes + n_no questions: vlm_accuracy, probe_accuracy; agreement: both
--   right or both wrong; both_right; either_right: at least one; where n_no is small they tell of
--   Yes alone. vlm_balanced, probe_balanced: mean of the accuracies over Yes and over No, NULL
--   without either. Per run, then the mean over runs. All NULL for released runs, whose answers
--   were not released. vlm_f1, probe_f1: macro-F1 over all the hypernym's questions, and over the
--   pairs that were drawn or given for the probe.
-- Empty: no run has held-out questions and an LM that was probed in text: `xmodal probe` asks
--   it, `xmodal import s1 PATH` brings the paper's
-- Params: none
SELECT * EXCLUDE (hidden_settings, forms_json)
FROM vlm_probe
ORDER BY ALL;
