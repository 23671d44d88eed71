-- The condition each run belongs to; runs of one condition differ by seeds only.
-- Grain: run_id. hidden_settings: hash of what tells conditions apart without a column here:
-- closure, train_leaf_negatives, LM revision and weights (drawn anew by each seed when
-- lm_init is random), prefix tokens, and the recipe but for what does not bear on training.
CREATE OR REPLACE VIEW run_condition AS
SELECT
    run.run_id,
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
    manifest.mentions,
    manifest.negatives,
    manifest.shuffle,
    md5(to_json({
        'closure': manifest.closure,
        'train_leaf_negatives': manifest.train_leaf_negatives,
        'lm_revision': run.lm_revision,
        'lm_hash': CASE WHEN run.lm_init <> 'random' THEN run.lm_hash END,
        'n_prefix_tokens': run.n_prefix_tokens,
        'recipe': json_merge_patch(
            run.recipe_json::JSON, '{"threads": null, "image_modes": null, "splits": null}'::JSON
        )
    })::VARCHAR) AS hidden_settings
FROM run
JOIN manifest USING (manifest_id);
