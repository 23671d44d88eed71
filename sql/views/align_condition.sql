-- The condition that each evaluation of an alignment belongs to: what was trained and what was
-- asked. Evaluations of one condition differ by seeds only (of initialisation, order, and of the
-- weights of a random LM), machine and time.
-- Grain: evaluation_id. trained_on, asked_on: a caption set's name, else a dataset's id; asked_on
-- is the examples where these are compositional. lm_pooling: s2 of a decoder is last, the same vectors.
-- condition: hash of all settings. The other hashes are of one part of them each, so that an
-- analysis can let one part differ and hold the rest equal:
--   data_settings: what is trained on and by which templates, but for level, arm and sizes
--   size_settings: pairs, texts, pictures, classes, validation, pairs of a batch
--   text_settings: LM, its weights (drawn anew by each seed when lm_init is random), how it is
--     read, and the sets of text features
--   image_settings: encoder and the sets of its features
--   recipe_settings: recipe with its name and projections; unsized_settings: without its name
--     and n_pairs; rest_settings: without name, sides and dim of the projections; dropout and
--     shape: of the projected sides
--   asked_settings: dataset, captions, names, class list, split and templates of the evaluation
-- longest, was_cut: tokens of a text at most, and whether a text was cut (of training, asked):
-- where none was cut, longest has no effect.
CREATE OR REPLACE VIEW align_condition AS
WITH joined AS (
    SELECT
        evaluation.evaluation_id,
        run.* EXCLUDE (templates_json, lm_pooling),
        run.templates_json AS templates,
        CASE WHEN run.lm_kind = 'decoder' AND run.lm_pooling = 's2' THEN 'last'
            ELSE run.lm_pooling
        END AS lm_pooling,
        evaluation.dataset_id AS asked_dataset_id,
        evaluation.caption_set_id AS asked_caption_set_id,
        evaluation.feature_set_id AS asked_feature_set_id,
        evaluation.text_feature_set_id AS asked_text_feature_set_id,
        evaluation.names,
        evaluation.class_list,
        evaluation.example_set,
        evaluation.split,
        coalesce(trained_caption.name, run.dataset_id, run.caption_set_id) AS trained_on,
        coalesce(
            asked_caption.name, evaluation.dataset_id, evaluation.caption_set_id,
            evaluation.example_set
        ) AS asked_on,
        {
            'name': trained_caption.name,
            'source': trained_caption.source,
            'n_pairs': trained_caption.n_pairs,
            'n_texts': trained_caption.n_texts,
            'n_images': trained_caption.n_images
        } AS trained_captions,
        {
            'name': asked_caption.name,
            'source': asked_caption.source,
            'n_pairs': asked_caption.n_pairs,
            'n_texts': asked_caption.n_texts,
            'n_images': asked_caption.n_images
        } AS asked_captions,
        {
            'dataset': trained_text.dataset_id,
            'names': trained_text.names,
            'texts': trained_text.texts_sha256,
            'n_rows': trained_text.n_rows,
            'n_texts': trained_text.n_texts
        } AS trained_texts,
        {
            'dataset': asked_text.dataset_id,
            'templates': asked_text.templates_json,
            'names': asked_text.names,
            'texts': asked_text.texts_sha256,
            'n_rows': asked_text.n_rows,
            'n_texts': asked_text.n_texts
        } AS asked_texts,
        [trained_text.longest, asked_text.longest] AS longest,
        trained_text.n_cut IS NULL OR trained_text.n_cut > 0
            OR asked_text.n_cut IS NULL OR asked_text.n_cut > 0 AS was_cut,
        -- what bears on the machine only is no setting
        json_merge_patch(
            run.recipe_json::JSON,
            '{"threads": null, "rows": null, "offload": null, "device": null,
                "log_every": null}'::JSON
        ) AS recipe_said,
        CASE run.side
            WHEN 'both' THEN [recipe_said -> '$.aligner.text', recipe_said -> '$.aligner.image']
            WHEN 'image' THEN [recipe_said -> '$.aligner.image']
            ELSE [recipe_said -> '$.aligner.text']
        END AS projected
    FROM align_evaluation AS evaluation
    JOIN align_run AS run USING (run_id)
    LEFT JOIN text_feature_set AS trained_text
        ON trained_text.text_feature_set_id = run.text_feature_set_id
    LEFT JOIN text_feature_set AS asked_text
        ON asked_text.text_feature_set_id = evaluation.text_feature_set_id
    LEFT JOIN caption_set AS trained_caption
        ON trained_caption.caption_set_id = run.caption_set_id
    LEFT JOIN caption_set AS asked_caption
        ON asked_caption.caption_set_id = evaluation.caption_set_id
),

said AS (
    SELECT
        *,
        list_transform(projected, lambda p: p ->> '$.dropout') AS dropouts,
        -- two sides of one shape are that shape, so that both can be held against one side; of
        -- linear nothing else says how it is shaped
        {
            'sides': list_sort(list_distinct(list_transform(projected, lambda p:
                CASE WHEN p ->> '$.kind' = 'linear' THEN 'linear' ELSE p::VARCHAR END
            ))),
            'projection': projection,
            'depth': depth,
            'width': width,
            'activation': activation
        } AS shaped,
        json_merge_patch(
            recipe_said,
            '{"name": null, "aligner": {"text": null, "image": null, "dim": null}}'::JSON
        ) AS rest_said,
        json_merge_patch(recipe_said, '{"name": null, "n_pairs": null}'::JSON) AS unsized_said
    FROM joined
),

hashed AS (
    SELECT
        evaluation_id,
        run_id,
        trained_on,
        separation_id,
        level,
        arm,
        lm,
        lm_init,
        lm_kind,
        n_lm_parameters,
        lm_pooling,
        lm_layer,
        templates,
        encoder,
        recipe,
        side,
        projection,
        depth,
        width,
        activation,
        batch_size,
        n_pairs,
        n_classes AS n_trained_classes,
        validation,
        n_validation_pairs,
        n_params,
        asked_on,
        names,
        class_list,
        split,
        longest,
        was_cut,
        list_sort(list_distinct(dropouts))::VARCHAR AS dropout,
        md5(to_json(shaped)::VARCHAR) AS shape,
        md5(to_json({
            'experiment': experiment,
            'dataset': dataset_id,
            'captions': trained_captions,
            'separation': separation_id,
            'templates': templates,
            'texts': trained_texts
        })::VARCHAR) AS data_settings,
        md5(to_json({
            'batch_size': batch_size,
            'n_pairs': n_pairs,
            'n_texts': n_texts,
            'n_images': n_images,
            'n_classes': n_classes,
            'n_validation_pairs': n_validation_pairs,
            'validation': validation
        })::VARCHAR) AS size_settings,
        md5(to_json({
            'lm': lm,
            'revision': lm_revision,
            'hash': CASE WHEN lm_init <> 'random' THEN lm_hash END,
            'init': lm_init,
            'kind': lm_kind,
            'n_parameters': n_lm_parameters,
            'pooling': lm_pooling,
            'layer': lm_layer,
            'longest': longest,
            'trained': CASE WHEN lm_init <> 'random' THEN text_feature_set_id END,
            'asked': CASE WHEN lm_init <> 'random' THEN asked_text_feature_set_id END
        })::VARCHAR) AS text_settings,
        md5(to_json({
            'encoder': encoder,
            'features': feature_set_id,
            'captions': caption_set_id,
            'asked_features': asked_feature_set_id,
            'asked_captions': asked_caption_set_id
        })::VARCHAR) AS image_settings,
        md5(to_json({
            'recipe': recipe,
            'said': recipe_said,
            'side': side,
            'shape': shaped
        })::VARCHAR) AS recipe_settings,
        md5(rest_said::VARCHAR) AS rest_settings,
        md5(unsized_said::VARCHAR) AS unsized_settings,
        md5(to_json({
            'dataset': asked_dataset_id,
            'captions': asked_captions,
            'names': names,
            'class_list': class_list,
            'example_set': example_set,
            'split': split,
            'texts': asked_texts
        })::VARCHAR) AS asked_settings,
        recipe_said ->> '$.aligner.dim' AS dim
    FROM said
)

SELECT
    *,
    md5(concat_ws(
        ' ', data_settings, coalesce(level, ''), coalesce(arm, ''), size_settings, text_settings,
        image_settings, recipe_settings, asked_settings, n_params
    )) AS condition
FROM hashed;
