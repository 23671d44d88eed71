-- Append-only: a released file is never edited; the next change is the next number.
-- Big tables carry no keys: DuckDB's index would cost more than the rows. The store checks
-- them as they come in.

CREATE TABLE dataset (
    dataset_id VARCHAR PRIMARY KEY,
    source VARCHAR NOT NULL,
    version VARCHAR NOT NULL,
    pairs VARCHAR NOT NULL,
    min_leaves BIGINT NOT NULL,
    seed BIGINT NOT NULL,
    config_json VARCHAR NOT NULL,
    notes_json VARCHAR NOT NULL,
    created_at VARCHAR NOT NULL
);

CREATE TABLE concept (
    dataset_id VARCHAR NOT NULL,
    concept_id INTEGER NOT NULL,
    key VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    phrase VARCHAR NOT NULL,
    synset VARCHAR,
    wn_offset INTEGER,
    gloss VARCHAR,
    role VARCHAR NOT NULL,
    dropped BOOLEAN NOT NULL,
    depth INTEGER
);

CREATE TABLE edge (
    dataset_id VARCHAR NOT NULL,
    hyponym_id INTEGER NOT NULL,
    hypernym_id INTEGER NOT NULL,
    source VARCHAR NOT NULL
);

CREATE TABLE leaf_hypernym (
    dataset_id VARCHAR NOT NULL,
    leaf_id INTEGER NOT NULL,
    hypernym_id INTEGER NOT NULL,
    strict BOOLEAN,
    everyday BOOLEAN,
    used BOOLEAN NOT NULL
);

CREATE TABLE image (
    dataset_id VARCHAR NOT NULL,
    image_id INTEGER NOT NULL,
    concept_id INTEGER NOT NULL,
    split VARCHAR,
    style VARCHAR,
    family VARCHAR,
    sha256 VARCHAR NOT NULL,
    uri VARCHAR NOT NULL
);

CREATE TABLE manifest (
    manifest_id VARCHAR PRIMARY KEY,
    dataset_id VARCHAR NOT NULL,
    relation VARCHAR NOT NULL DEFAULT 'hypernym',
    shuffle_id VARCHAR NOT NULL,
    design VARCHAR NOT NULL,
    unit VARCHAR NOT NULL,
    ratio DOUBLE NOT NULL,
    n_held_out_hypernyms BIGINT,
    closure VARCHAR NOT NULL,
    mentions VARCHAR NOT NULL,
    negatives VARCHAR NOT NULL,
    shuffle VARCHAR NOT NULL,
    seed BIGINT NOT NULL,
    shuffle_seed BIGINT,
    train_leaf_negatives BIGINT NOT NULL,
    ratio_realised_cells DOUBLE,
    ratio_realised_questions DOUBLE,
    summary_json VARCHAR NOT NULL,
    rows_sha256 VARCHAR NOT NULL,
    created_at VARCHAR NOT NULL
);

CREATE TABLE manifest_cell (
    manifest_id VARCHAR NOT NULL,
    leaf_id INTEGER NOT NULL,
    hypernym_id INTEGER NOT NULL,
    answer BOOLEAN NOT NULL,
    held_out BOOLEAN NOT NULL
);

CREATE TABLE manifest_label (
    manifest_id VARCHAR NOT NULL,
    image_leaf_id INTEGER NOT NULL,
    label_leaf_id INTEGER,
    status VARCHAR NOT NULL
);

CREATE TABLE example (
    manifest_id VARCHAR NOT NULL,
    example_id BIGINT NOT NULL,
    image_id INTEGER NOT NULL,
    split VARCHAR NOT NULL,
    label_leaf_id INTEGER NOT NULL,
    asked_id INTEGER NOT NULL,
    kind VARCHAR NOT NULL,
    answer BOOLEAN NOT NULL,
    held_out BOOLEAN,
    question_set VARCHAR NOT NULL,
    in_training BOOLEAN NOT NULL
);

CREATE TABLE feature_set (
    feature_set_id VARCHAR PRIMARY KEY,
    dataset_id VARCHAR NOT NULL,
    encoder VARCHAR NOT NULL,
    revision VARCHAR NOT NULL,
    layer VARCHAR NOT NULL,
    pooling VARCHAR NOT NULL,
    n_tokens BIGINT NOT NULL,
    width BIGINT NOT NULL,
    n_views BIGINT NOT NULL,
    dtype VARCHAR NOT NULL,
    sha256 VARCHAR NOT NULL,
    path VARCHAR NOT NULL
);

CREATE TABLE run (
    run_id VARCHAR PRIMARY KEY,
    experiment VARCHAR NOT NULL,
    dataset_id VARCHAR NOT NULL,
    manifest_id VARCHAR NOT NULL,
    source VARCHAR NOT NULL DEFAULT 'own',
    lm VARCHAR NOT NULL,
    lm_revision VARCHAR,
    lm_hash VARCHAR NOT NULL,
    lm_init VARCHAR NOT NULL,
    feature_set_id VARCHAR,
    encoder VARCHAR NOT NULL,
    prompt VARCHAR NOT NULL,
    recipe VARCHAR NOT NULL,
    recipe_json VARCHAR NOT NULL,
    projector VARCHAR NOT NULL,
    n_prefix_tokens BIGINT NOT NULL,
    co_train_group VARCHAR,
    seed_init BIGINT NOT NULL,
    seed_order BIGINT NOT NULL,
    n_steps BIGINT NOT NULL,
    batch_size BIGINT NOT NULL,
    n_train_questions BIGINT NOT NULL,
    n_params BIGINT NOT NULL,
    flops DOUBLE,
    seconds DOUBLE NOT NULL,
    device VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    versions_json VARCHAR NOT NULL,
    command VARCHAR NOT NULL,
    git_commit VARCHAR,
    started_at VARCHAR NOT NULL,
    content_hash VARCHAR NOT NULL
);

CREATE TABLE metric (
    run_id VARCHAR NOT NULL,
    step BIGINT NOT NULL,
    name VARCHAR NOT NULL,
    value DOUBLE NOT NULL
);

CREATE TABLE prediction (
    run_id VARCHAR NOT NULL,
    image_mode VARCHAR NOT NULL,
    example_id BIGINT NOT NULL,
    logit_yes FLOAT NOT NULL,
    logit_no FLOAT NOT NULL,
    predicted BOOLEAN NOT NULL
);

-- What one LM was taught in text: the true taxonomy, or the permuted one of a scrambled LM.
CREATE TABLE lm_pair (
    lm_hash VARCHAR NOT NULL,
    leaf VARCHAR NOT NULL,
    hypernym VARCHAR NOT NULL,
    answer BOOLEAN NOT NULL
);
