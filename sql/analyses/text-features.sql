-- Text features: LM, pooling, templates and shape
-- Grain: one row per set of text features, by LM and texts.
-- Units: n_rows vectors of width numbers; n_texts read for them, n_cut longer than longest tokens,
--   n_unknown with a word that the tokenizer does not know; n_lm_parameters without the head.
--   names: language or origin of class names of a user's file; NULL for the dataset's own.
-- Empty: no text features are in the store: `xmodal align features` makes them
-- Params: none
SELECT
    text_feature_set_id,
    dataset_id,
    lm,
    lm_init,
    lm_kind,
    n_lm_parameters,
    pooling,
    layer,
    templates_json,
    names,
    n_rows,
    n_texts,
    n_cut,
    n_unknown,
    width
FROM text_feature_set
ORDER BY ALL;
