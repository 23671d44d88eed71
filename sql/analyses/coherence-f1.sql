-- Does visual coherence go with held-out F1?
-- S1's regression f1 ~ backbone_f1 + coherence has b = 0.83 (t = 3.34) for coherence. That is a
--   mixed model with the text probe beside it, over hypernyms and shuffles of two LMs; here are
--   plain correlations and a least-squares slope, one LM and encoder at a time.
-- Grain: one row per condition but for the shuffle, question_set (held_out, held_out_s1),
--   coherence_encoder, and shuffle_set: one shuffle, or all of them pooled where there are two
--   or more. A point is a hypernym under a shuffle, mean over runs.
-- Units: pearson, spearman (ties share their mean rank) in [-1, 1]; slope: F1 per unit of cosine;
--   other_leaf_: the same with pairs of two leaves only. NULL with fewer than two points, or
--   where a side is constant. n_points: points with F1 and coherence; n_other_leaf_points: those
--   with other_leaf too.
--   shuffle_set all tells mostly that the shuffles differ in both: its points are the same
--   hypernyms several times, and no sample of independent ones.
-- Empty: no run has held-out questions and features whose coherence is known: `xmodal
--   coherence` measures it, `xmodal import s1 PATH` brings the paper's
-- Params: none
WITH point AS MATERIALIZED (
    SELECT
        run_condition.* EXCLUDE (run_id, shared_settings),
        score.question_set,
        run_coherence.coherence_encoder,
        score.hypernym,
        avg(score.macro_f1 ORDER BY run_id) AS f1,
        avg(run_coherence.coherence ORDER BY run_id) AS coherence,
        avg(run_coherence.coherence_other_leaf ORDER BY run_id) AS other_leaf
    FROM score
    JOIN run_condition USING (run_id)
    JOIN run_coherence USING (run_id, hypernym)
    WHERE
        score.question_set IN ('held_out', 'held_out_s1')
        AND score.macro_f1 IS NOT NULL
        AND run_coherence.coherence IS NOT NULL
    GROUP BY ALL
),

in_set AS (
    SELECT *, shuffle AS shuffle_set
    FROM point
    UNION ALL
    SELECT *, 'all' AS shuffle_set
    FROM point
),

listed AS (
    SELECT
        * EXCLUDE (shuffle, hypernym, f1, coherence, other_leaf),
        list(coherence ORDER BY shuffle, hypernym) AS xs,
        list(f1 ORDER BY shuffle, hypernym) AS ys,
        list(other_leaf ORDER BY shuffle, hypernym) FILTER (other_leaf IS NOT NULL) AS other_xs,
        list(f1 ORDER BY shuffle, hypernym) FILTER (other_leaf IS NOT NULL) AS other_ys,
        count(DISTINCT shuffle) AS n_shuffles
    FROM in_set
    GROUP BY ALL
)

SELECT
    * EXCLUDE (hidden_settings, xs, ys, other_xs, other_ys, n_shuffles),
    pearson(xs, ys) AS pearson,
    spearman(xs, ys) AS spearman,
    slope(xs, ys) AS slope,
    len(xs) AS n_points,
    pearson(other_xs, other_ys) AS other_leaf_pearson,
    spearman(other_xs, other_ys) AS other_leaf_spearman,
    slope(other_xs, other_ys) AS other_leaf_slope,
    coalesce(len(other_xs), 0) AS n_other_leaf_points
FROM listed
WHERE shuffle_set <> 'all' OR n_shuffles > 1
ORDER BY ALL;
