-- Does an LM say of pictures what it knows in text? Probe against VLM by condition
-- S1: the text probe's F1 (backbone_f1) does not predict the VLM's beside coherence (p = .79).
--   Released results allow correlations over hypernyms only: their answers were not released.
-- Grain: one row per condition, question_set (held_out, held_out_s1) and probe (task, phrasing,
--   template, chat, probe_seed, n_probe_pairs; all NULL for released ones).
-- Units: vlm_accuracy, probe_accuracy, agreement, both_right, either_right: shares in [0, 1] of
--   test questions whose pair the probe asked too (@probe-vlm-hypernym), mean over n_compared
--   hypernyms. Tasks sentence and choice ask true pairs only, so that they are compared on the
--   questions whose answer is Yes. pearson, spearman: vlm_f1 with probe_f1 over the n_hypernyms
--   that have both; vlm_f1 and probe_f1: their means over these. NULL: nothing to compare, or a
--   side is constant.
-- Empty: no run has held-out questions and an LM that was probed in text: `xmodal probe` asks
--   it, `xmodal import s1 PATH` brings the paper's
-- Params: none
WITH compared AS (
    SELECT
        * EXCLUDE (
            hypernym, vlm_accuracy, probe_accuracy, agreement, both_right, either_right,
            n_questions, vlm_f1, probe_f1
        ),
        avg(vlm_accuracy ORDER BY hypernym) AS vlm_accuracy,
        avg(probe_accuracy ORDER BY hypernym) AS probe_accuracy,
        avg(agreement ORDER BY hypernym) AS agreement,
        avg(both_right ORDER BY hypernym) AS both_right,
        avg(either_right ORDER BY hypernym) AS either_right,
        count(agreement) AS n_compared,
        list(vlm_f1 ORDER BY hypernym) FILTER (vlm_f1 IS NOT NULL AND probe_f1 IS NOT NULL) AS ys,
        list(probe_f1 ORDER BY hypernym) FILTER (vlm_f1 IS NOT NULL AND probe_f1 IS NOT NULL) AS xs
    FROM vlm_probe
    GROUP BY ALL
)

SELECT
    * EXCLUDE (hidden_settings, forms_json, xs, ys),
    list_avg(ys) AS vlm_f1,
    list_avg(xs) AS probe_f1,
    pearson(xs, ys) AS pearson,
    spearman(xs, ys) AS spearman,
    coalesce(len(xs), 0) AS n_hypernyms
FROM compared
ORDER BY ALL;
