-- Projectors of others: a folder of `xmodal card` asked about the pictures of a dataset of this store.
-- They are in no view of runs and in no condition; their answers are in evaluation, and @transfer has
-- them with source card.

-- Grain: one card with the features of one dataset.
CREATE TABLE card_run (
    -- hash of card and feature set; evaluation.run_id points here or at run
    run_id VARCHAR PRIMARY KEY,
    experiment VARCHAR NOT NULL,
    -- asked about
    dataset_id VARCHAR NOT NULL,
    feature_set_id VARCHAR NOT NULL,
    -- hash of the card's config.json but for the version that wrote it
    card_id VARCHAR NOT NULL,
    -- where it was trained, which need not be in this store
    trained_run_id VARCHAR NOT NULL,
    trained_dataset_id VARCHAR NOT NULL,
    trained_manifest_id VARCHAR NOT NULL,
    trained_design VARCHAR NOT NULL,
    trained_ratio DOUBLE NOT NULL,
    trained_shuffle VARCHAR NOT NULL,
    lm VARCHAR NOT NULL,
    lm_hash VARCHAR NOT NULL,
    lm_init VARCHAR NOT NULL,
    encoder VARCHAR NOT NULL,
    seed_init BIGINT NOT NULL,
    seed_order BIGINT NOT NULL,
    -- config.json, whole
    config_json VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    versions_json VARCHAR NOT NULL,
    command VARCHAR NOT NULL,
    started_at VARCHAR NOT NULL,
    content_hash VARCHAR NOT NULL
);
