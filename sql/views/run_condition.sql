-- The condition each run belongs to; runs of one condition differ by seeds only. Released runs
-- stand beside own ones, with the settings that their import read from names and files.
-- Grain: run_id. hidden_settings: hash of what tells conditions apart without a column here:
-- closure, train_leaf_negatives, LM revision and weights (drawn anew by each seed when
-- lm_init is random), layer and pooling of the features, prefix tokens, and the recipe but for
-- what does not bear on training. shared_settings: the same without the LM's and the
-- encoder's, so that one LM or encoder can be held against another. Both are the word released
-- for released runs, which have no settings beside the columns.
CREATE OR REPLACE VIEW run_condition AS
WITH own AS (
    SELECT
        run.*,
        manifest.* EXCLUDE (manifest_id, dataset_id, seed),
        {
            'closure': manifest.closure,
            'train_leaf_negatives': manifest.train_leaf_negatives,
            'n_prefix_tokens': run.n_prefix_tokens,
            'recipe': json_merge_patch(
                run.recipe_json::JSON,
                '{"threads": null, "image_modes": null, "splits": null, "answer_ids": null,
                    "random_std": null, "features": null, "packed": null, "attention": null}'::JSON
            )
        } AS shared,
        {
            'recipe': json_merge_patch(
                run.recipe_json::JSON,
                '{"threads": null, "image_modes": null, "splits": null, "packed": null,
                    "attention": null}'::JSON
            ),
            'lm_revision': run.lm_revision,
            'lm_hash': CASE WHEN run.lm_init <> 'random' THEN run.lm_hash END,
            'revision': feature_set.revision,
            'weights': feature_set.weights_sha256,
            'layer': feature_set.layer,
            'pooling': feature_set.pooling,
            'n_views': feature_set.n_views
        } AS models
    FROM run
    JOIN manifest USING (manifest_id)
    LEFT JOIN feature_set USING (feature_set_id)
)

SELECT
    run_id,
    source,
    dataset_id AS dataset,
    relation,
    lm,
    lm_init,
    encoder,
    recipe,
    prompt,
    design,
    unit,
    ratio,
    n_held_out_hypernyms,
    mentions,
    negatives,
    shuffle,
    md5(to_json({'shared': shared, 'models': models})::VARCHAR) AS hidden_settings,
    md5(to_json(shared)::VARCHAR) AS shared_settings
FROM own
UNION ALL BY NAME
SELECT
    * EXCLUDE (run_name, seed),
    'released' AS hidden_settings,
    'released' AS shared_settings
FROM released_run;
