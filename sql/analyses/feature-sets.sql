-- Feature sets: encoder, layer, shape and what uses them
-- Grain: one row per feature set, by dataset and encoder.
-- Units: side in pixels; n_tokens and width per picture; n_skipped pictures without features;
--   n_training_pictures that the encoder is known to have been trained on; n_runs on the set, alignments
--   among them.
-- Empty: no features are in the store: `xmodal features extract` makes them
-- Params: none
SELECT
    feature_set_id,
    feature_set.dataset_id,
    feature_set.encoder,
    revision,
    layer,
    pooling,
    side,
    n_tokens,
    width,
    n_views,
    dtype,
    n_training_pictures,
    n_skipped,
    (
        SELECT count(*)
        FROM run
        WHERE run.feature_set_id = feature_set.feature_set_id
    ) + (
        SELECT count(*)
        FROM align_run
        WHERE align_run.feature_set_id = feature_set.feature_set_id
    ) AS n_runs
FROM feature_set
ORDER BY ALL;
