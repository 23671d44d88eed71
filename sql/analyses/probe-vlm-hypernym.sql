-- What the LM knows in text beside what it says of pictures, hypernym by hypernym
-- Grain: one row per condition, question_set (held_out, held_out_s1), probe (task, phrasing,
--   template, chat, probe_seed, n_probe_pairs; all NULL for released ones) and hypernym.
-- Units: shares in [0, 1] of test questions, real image, each held against the probe's answer to
--   its pair (label leaf, hypernym): vlm_accuracy, probe_accuracy; agreement: both right or both
--   wrong; both_right; either_right: at least one. Per run, then the mean over runs. Only pairs
--   that the probe asked count: n_questions of a run on average. All NULL for released runs,
--   whose answers were not released. vlm_f1, probe_f1: macro-F1 over all the hypernym's
--   questions, and over all its pairs in the probe.
-- Empty: no run has held-out questions and an LM that was probed in text: `xmodal probe` asks
--   it, `xmodal import s1 PATH` brings the paper's
-- Params: none
SELECT * EXCLUDE (hidden_settings, forms_json)
FROM vlm_probe
ORDER BY ALL;
