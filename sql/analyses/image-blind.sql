-- Macro-F1 with the real image beside mean, zero, noise and another leaf's image
-- Grain: one row per condition and question_set. Units: macro_f1 in [0, 1], mean over
--   hypernyms, then over runs; a column is NULL where no run was evaluated that way.
--   blind_f1: the better constant answer on the questions of the real image.
-- Params: none
SELECT
    run.source,
    run.dataset_id AS dataset,
    manifest.relation,
    run.lm,
    run.lm_init,
    run.encoder,
    run.recipe,
    run.prompt,
    manifest.design,
    manifest.unit,
    manifest.ratio,
    manifest.n_held_out_hypernyms,
    manifest.closure,
    manifest.mentions,
    manifest.negatives,
    manifest.train_leaf_negatives,
    manifest.shuffle,
    run_score.question_set,
    avg(macro_f1 ORDER BY run_id) FILTER (image_mode = 'real') AS "real",
    avg(macro_f1 ORDER BY run_id) FILTER (image_mode = 'mean') AS mean,
    avg(macro_f1 ORDER BY run_id) FILTER (image_mode = 'zero') AS zero,
    avg(macro_f1 ORDER BY run_id) FILTER (image_mode = 'noise') AS noise,
    avg(macro_f1 ORDER BY run_id) FILTER (image_mode = 'other-leaf') AS other_leaf,
    avg(blind_f1 ORDER BY run_id) FILTER (image_mode = 'real') AS blind_f1,
    count(DISTINCT run_id) AS n_runs
FROM run_score
JOIN run USING (run_id)
JOIN manifest USING (manifest_id)
GROUP BY ALL
ORDER BY ALL;
