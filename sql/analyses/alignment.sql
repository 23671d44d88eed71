-- Alignment of encoder and LM beside visual coherence, as predictors of held-out F1
-- Tests the reading that generalisation comes from both models having learnt the same space:
--   S1 regresses on coherence alone and measures no alignment.
-- Grain: one row per condition, question_set (held_out), settings of the alignment (layer, k),
--   and predictor: mutual_knn, cka, coherence, coherence_other_leaf. A point is a hypernym, mean
--   over runs. Predictors of one group are compared on the same points: the hypernyms that have
--   every predictor which some hypernym of the group has.
-- Units: pearson and spearman (ties share their mean rank) with F1 in [-1, 1], NULL with fewer
--   than two hypernyms or where a side is constant. mean: the predictor's mean over the points.
--   n_hypernyms: points. n_left_out: hypernyms with held-out questions that are no point, as they
--   have true answers of one class and so no F1, or lack one of the predictors: cka with fewer
--   than 4 leaves, coherence_other_leaf with one leaf, coherence where it was not measured.
--   Of n unrelated leaves cka has a standard deviation of 1 / sqrt(n (n - 3) / 2): 0.33 for 6.
-- Empty: no run has held-out questions and an LM and features that `xmodal probe --alignment`
--   compared
-- Params: none
WITH measured AS (
    SELECT
        run.run_id,
        alignment.hypernym,
        alignment.layer,
        alignment.k,
        avg(alignment.mutual_knn ORDER BY alignment_id) AS mutual_knn,
        avg(alignment.cka ORDER BY alignment_id) AS cka
    FROM run
    JOIN manifest USING (manifest_id)
    JOIN alignment
        ON alignment.dataset = run.dataset_id
        AND alignment.feature_set_id = run.feature_set_id
        AND alignment.relation = manifest.relation
        AND alignment.lm_hash = run.lm_hash
        AND coalesce(alignment.shuffle_id, 'none') = manifest.shuffle_id
    WHERE alignment.hypernym IS NOT NULL
    GROUP BY ALL
),

point AS (
    SELECT
        run_condition.* EXCLUDE (run_id, shared_settings),
        score.question_set,
        measured.layer,
        measured.k,
        score.hypernym,
        avg(score.macro_f1 ORDER BY run_id) AS f1,
        avg(measured.mutual_knn ORDER BY run_id) FILTER (score.macro_f1 IS NOT NULL) AS mutual_knn,
        avg(measured.cka ORDER BY run_id) FILTER (score.macro_f1 IS NOT NULL) AS cka,
        avg(run_coherence.coherence ORDER BY run_id) FILTER (score.macro_f1 IS NOT NULL)
            AS coherence,
        avg(run_coherence.coherence_other_leaf ORDER BY run_id) FILTER (score.macro_f1 IS NOT NULL)
            AS coherence_other_leaf
    FROM score
    JOIN run_condition USING (run_id)
    JOIN measured USING (run_id, hypernym)
    LEFT JOIN run_coherence USING (run_id, hypernym)
    WHERE score.question_set = 'held_out'
    GROUP BY ALL
),

listed AS (
    SELECT
        * EXCLUDE (hypernym, f1, mutual_knn, cka, coherence, coherence_other_leaf),
        list({
            'f1': f1,
            'mutual_knn': mutual_knn,
            'cka': cka,
            'coherence': coherence,
            'coherence_other_leaf': coherence_other_leaf
        } ORDER BY hypernym) AS points,
        list_filter(points, lambda p:
            p.f1 IS NOT NULL
            AND (p.mutual_knn IS NOT NULL OR count(mutual_knn) = 0)
            AND (p.cka IS NOT NULL OR count(cka) = 0)
            AND (p.coherence IS NOT NULL OR count(coherence) = 0)
            AND (p.coherence_other_leaf IS NOT NULL OR count(coherence_other_leaf) = 0)
        ) AS common,
        len(points) - len(common) AS n_left_out
    FROM point
    GROUP BY ALL
),

predictor AS (
    SELECT
        * EXCLUDE (points, common),
        unnest(['mutual_knn', 'cka', 'coherence', 'coherence_other_leaf']) AS predictor,
        list_transform(common, lambda p: p.f1) AS ys,
        unnest([
            list_transform(common, lambda p: p.mutual_knn),
            list_transform(common, lambda p: p.cka),
            list_transform(common, lambda p: p.coherence),
            list_transform(common, lambda p: p.coherence_other_leaf)
        ]) AS xs
    FROM listed
)

SELECT
    * EXCLUDE (hidden_settings, n_left_out, xs, ys),
    list_avg(xs) AS mean,
    pearson(xs, ys) AS pearson,
    spearman(xs, ys) AS spearman,
    len(xs) AS n_hypernyms,
    n_left_out
FROM predictor
WHERE len(list_filter(xs, lambda x: x IS NULL)) = 0 AND len(xs) > 0
ORDER BY ALL;
