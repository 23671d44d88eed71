-- Does an LM say of pictures what it knows in text? Probe against VLM by condition
-- S1: the text probe's F1 (backbone_f1) does not predict the VLM's beside coherence (p = .79).
--   Released results allow correlations over hypernyms only: their answers were not released.
-- Grain: one row per condition, question_set (held_out, held_out_s1) and probe (task, phrasing,
--   template, chat, probe_seed, n_probe_pairs; all NULL for released ones).
-- Units: vlm_accuracy, probe_accuracy, agreement, both_right, either_right: shares in [0, 1] of
--   the held-out test questions whose pair (label leaf, hypernym) the probe asked too, by hypernym
--   (@probe-vlm-hypernym), mean over the n_compared hypernyms. These questions: n_yes and n_no by
--   true answer, all hypernyms together, of a run on average; n_not_asked are left. Task yes_no
--   asks every pair of the test questions of the manifests that are stored when it is asked. In a
--   probe of before it did n_no is small (ask again), and tasks sentence and choice ask true pairs
--   only (n_no 0): there the shares tell of Yes alone. vlm_balanced, probe_balanced: mean of the accuracies
--   over Yes and over No, mean over the n_balanced hypernyms compared on both. pearson, spearman:
--   vlm_f1 with probe_f1 over the n_hypernyms that have both; vlm_f1 and probe_f1: their means
--   over these. NULL: nothing to compare, or a side is constant.
-- Empty: no run has held-out questions and an LM that was probed in text: `xmodal probe` asks
--   it, `xmodal import s1 PATH` brings the paper's
-- Params: none
WITH compared AS (
    SELECT
        * EXCLUDE (
            hypernym, vlm_accuracy, probe_accuracy, vlm_balanced, probe_balanced, agreement,
            both_right, either_right, n_yes, n_no, n_not_asked, vlm_f1, probe_f1
        ),
        avg(vlm_accuracy ORDER BY hypernym) AS vlm_accuracy,
        avg(probe_accuracy ORDER BY hypernym) AS probe_accuracy,
        avg(vlm_balanced ORDER BY hypernym) AS vlm_balanced,
        avg(probe_balanced ORDER BY hypernym) AS probe_balanced,
        avg(agreement ORDER BY hypernym) AS agreement,
        avg(both_right ORDER BY hypernym) AS both_right,
        avg(either_right ORDER BY hypernym) AS either_right,
        sum(n_yes ORDER BY hypernym) AS n_yes,
        sum(n_no ORDER BY hypernym) AS n_no,
        sum(n_not_asked ORDER BY hypernym) AS n_not_asked,
        count(agreement) AS n_compared,
        count(vlm_balanced) AS n_balanced,
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
