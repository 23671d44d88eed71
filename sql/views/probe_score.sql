-- Text-only probes, hypernym by hypernym, over the pairs that were drawn for them
-- or given, not over what was asked only to be held beside runs.
-- Grain: probe_id, hypernym_id. Units: macro_f1 and blind_f1 in [0, 1] as in hypernym_score, NULL
-- where the true answers are of one class only and for task choice, which ranks and does not say
-- Yes or No. n_right, n_said_yes: of the n_yes + n_no pairs; for choice a pair is right where the
-- true hypernym has rank 1. accuracy = n_right over them. mean_rank (1 is best) and mrr (mean of
-- 1 / rank, in [0, 1]): over true pairs, for choice.
CREATE OR REPLACE VIEW probe_score AS
WITH counted AS (
    SELECT
        probe_id,
        hypernym_id,
        count(*) FILTER (answer AND predicted) AS tp,
        count(*) FILTER (NOT answer AND predicted) AS fp,
        count(*) FILTER (answer AND NOT predicted) AS fn,
        count(*) FILTER (NOT answer AND NOT predicted) AS tn,
        tp + fn AS n_yes,
        tn + fp AS n_no,
        avg(rank ORDER BY leaf_id) FILTER (answer) AS mean_rank,
        avg(1 / rank ORDER BY leaf_id) FILTER (answer) AS mrr
    FROM text_probe_answer
    WHERE drawn
    GROUP BY probe_id, hypernym_id
)

SELECT
    counted.probe_id,
    counted.hypernym_id,
    concept.name AS hypernym,
    counted.n_yes,
    counted.n_no,
    CASE WHEN task <> 'choice' THEN answer_f1(tp, fp, fn, tn) END AS macro_f1,
    CASE WHEN task <> 'choice' THEN constant_f1(n_yes, n_no) END AS blind_f1,
    tp + tn AS n_right,
    tp + fp AS n_said_yes,
    n_right / (n_yes + n_no) AS accuracy,
    counted.mean_rank,
    counted.mrr
FROM counted
JOIN text_probe USING (probe_id)
LEFT JOIN concept
    ON concept.dataset_id = text_probe.dataset_id
    AND concept.concept_id = counted.hypernym_id;
