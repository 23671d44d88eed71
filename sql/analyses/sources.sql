-- Where every run comes from: seeds, models, features, device, versions, commit and hashes
-- Own and released runs alike; `xmodal runs show ID --provenance` says more of one run.
-- Grain: one row per run.
-- Units: seconds of training; hashes are sha256 in hex, whole. seed drew the manifest, seed_init
--   the projector, seed_order the order of its data; a released run has one seed, and NULL where
--   its authors do not say.
-- Empty: the store holds no finished run and no released one: `xmodal train` makes a run,
--   `xmodal import s1 PATH` reads the paper's
-- Params: $run VARCHAR: a run id or its beginning; all when left out.
WITH every AS (
    SELECT
        run.run_id,
        run.source,
        run.dataset_id AS dataset,
        run.manifest_id,
        manifest.rows_sha256 AS manifest_sha256,
        manifest.relation,
        manifest.design,
        manifest.ratio,
        manifest.n_held_out_hypernyms,
        manifest.shuffle,
        run.lm,
        run.lm_init,
        run.lm_revision,
        run.lm_hash,
        run.encoder,
        run.feature_set_id,
        feature_set.sha256 AS features_sha256,
        run.projector,
        run.recipe,
        run.prompt,
        manifest.seed,
        run.seed_init,
        run.seed_order,
        run.n_steps,
        run.seconds,
        run.device,
        run.versions_json,
        run.git_commit,
        run.command,
        run.started_at,
        run.content_hash
    FROM run
    JOIN manifest USING (manifest_id)
    LEFT JOIN feature_set USING (feature_set_id)
    UNION ALL BY NAME
    SELECT
        run_id,
        source,
        dataset,
        relation,
        design,
        ratio,
        n_held_out_hypernyms,
        shuffle,
        lm,
        lm_init,
        encoder,
        recipe,
        prompt,
        seed
    FROM released_run
)

SELECT *
FROM every
WHERE $run IS NULL OR starts_with(run_id, $run::VARCHAR)
ORDER BY source, started_at, run_id;
