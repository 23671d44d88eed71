-- Training metrics of every run by step
-- Grain: one row per run, step and metric name. Units: as the metric's name says; the loss is
--   mean cross-entropy in nats at the answer position, of an alignment InfoNCE. lm_init to
--   seed: of runs on a manifest; NULL for alignments and binding runs.
-- Empty: no finished run is in the store: `xmodal train` makes one, `xmodal store sync` brings
--   it in
-- Params: $run VARCHAR: a run id or its beginning; $name VARCHAR: one metric; all when left out.
SELECT
    metric.run_id,
    run.lm_init,
    manifest.design,
    manifest.ratio,
    manifest.shuffle,
    manifest.seed,
    metric.step,
    metric.name,
    metric.value
FROM metric
LEFT JOIN run USING (run_id)
LEFT JOIN manifest USING (manifest_id)
WHERE
    ($run IS NULL OR starts_with(metric.run_id, $run::VARCHAR))
    AND ($name IS NULL OR metric.name = $name::VARCHAR)
ORDER BY metric.run_id, metric.name, metric.step;
