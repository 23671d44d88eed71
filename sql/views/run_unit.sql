-- Own runs with their condition and the seeds that tell runs of one condition apart.
-- Grain: run_id. manifest_seed drew the manifest, seed_init the projector and seed_order the
-- order of its data. shared_settings, hidden_settings: as in run_condition.
CREATE OR REPLACE VIEW run_unit AS
SELECT
    run_condition.*,
    run.manifest_id,
    manifest.rows_sha256,
    manifest.seed AS manifest_seed,
    run.seed_init,
    run.seed_order,
    run.content_hash,
    run.started_at
FROM run_condition
JOIN run USING (run_id)
JOIN manifest USING (manifest_id);
