-- Text features: what an LM makes of class names or captions.

-- Grain: one set of vectors on disk, by texts, LM and pooling.
CREATE TABLE text_feature_set (
    text_feature_set_id VARCHAR NOT NULL,
    -- whose classes were read; NULL for the texts of a file
    dataset_id VARCHAR,
    -- JSON list of the templates that a class was put into; empty for the texts of a file
    templates_json VARCHAR NOT NULL,
    lm VARCHAR NOT NULL,
    lm_revision VARCHAR,
    lm_hash VARCHAR NOT NULL,
    lm_init VARCHAR NOT NULL,
    -- decoder: no token sees what comes after it; else encoder
    lm_kind VARCHAR NOT NULL,
    -- weights without the head
    n_lm_parameters BIGINT NOT NULL,
    pooling VARCHAR NOT NULL,
    layer VARCHAR NOT NULL,
    -- tokens of a text, at most; n_cut texts were longer
    longest BIGINT NOT NULL,
    n_rows BIGINT NOT NULL,
    n_texts BIGINT NOT NULL,
    n_cut BIGINT NOT NULL,
    -- texts with a word that the tokenizer does not know
    n_unknown BIGINT NOT NULL,
    width BIGINT NOT NULL,
    sha256 VARCHAR NOT NULL,
    path VARCHAR NOT NULL
);
