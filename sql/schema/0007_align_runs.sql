-- Alignment: what is trained on pairs of text and picture, and what it answers.

-- language or origin of the class names that a user gave; NULL for the dataset's own
ALTER TABLE text_feature_set ADD COLUMN names VARCHAR;
-- of the texts in their order and of the classes that they stand for, whatever read them; NULL for
-- sets that were made before it was kept
ALTER TABLE text_feature_set ADD COLUMN texts_sha256 VARCHAR;

-- Grain: one set of pairs of caption and picture, its pictures encoded.
CREATE TABLE caption_set (
    caption_set_id VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    -- parquet | webdataset | llava-json
    source VARCHAR NOT NULL,
    encoder VARCHAR NOT NULL,
    revision VARCHAR NOT NULL,
    weights_sha256 VARCHAR,
    layer VARCHAR NOT NULL,
    -- of the encoder's tokens: cls | mean | given
    pooling VARCHAR NOT NULL,
    width BIGINT NOT NULL,
    n_pairs BIGINT NOT NULL,
    n_texts BIGINT NOT NULL,
    n_images BIGINT NOT NULL,
    -- pairs that have no text, or no picture that can be decoded
    n_skipped BIGINT NOT NULL,
    -- of texts, pictures and features
    sha256 VARCHAR NOT NULL,
    path VARCHAR NOT NULL
);

-- Grain: one alignment: projections between text features and picture features, trained.
CREATE TABLE align_run (
    run_id VARCHAR NOT NULL,
    -- s2
    experiment VARCHAR NOT NULL,
    -- what it trains on: a dataset's pictures with the texts of their classes, or a caption set
    dataset_id VARCHAR,
    caption_set_id VARCHAR,
    -- whose classes or words are left out; NULL where none are
    separation_id VARCHAR,
    level VARCHAR,
    arm VARCHAR,
    text_feature_set_id VARCHAR NOT NULL,
    -- of a dataset's pictures; NULL for captions
    feature_set_id VARCHAR,
    lm VARCHAR NOT NULL,
    lm_revision VARCHAR,
    lm_hash VARCHAR NOT NULL,
    lm_init VARCHAR NOT NULL,
    -- decoder | encoder | words
    lm_kind VARCHAR NOT NULL,
    -- weights without the head
    n_lm_parameters BIGINT NOT NULL,
    lm_pooling VARCHAR NOT NULL,
    lm_layer VARCHAR NOT NULL,
    templates_json VARCHAR NOT NULL,
    encoder VARCHAR NOT NULL,
    recipe VARCHAR NOT NULL,
    recipe_json VARCHAR NOT NULL,
    -- what is projected: text | image | both
    side VARCHAR NOT NULL,
    -- of the projected sides: mlp | linear; depth 1 and width NULL for linear
    projection VARCHAR NOT NULL,
    depth BIGINT NOT NULL,
    width BIGINT,
    activation VARCHAR,
    batch_size BIGINT NOT NULL,
    n_pairs BIGINT NOT NULL,
    -- texts and pictures that occur in pairs; classes, of a dataset
    n_texts BIGINT NOT NULL,
    n_images BIGINT NOT NULL,
    n_classes BIGINT,
    n_validation_pairs BIGINT NOT NULL,
    -- what the validation pairs show: pictures of trained classes | classes | pairs | none
    validation VARCHAR NOT NULL,
    seed_init BIGINT NOT NULL,
    seed_order BIGINT NOT NULL,
    -- taken; the projections are those of best_step
    n_steps BIGINT NOT NULL,
    best_step BIGINT NOT NULL,
    n_params BIGINT NOT NULL,
    seconds DOUBLE NOT NULL,
    device VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    versions_json VARCHAR NOT NULL,
    command VARCHAR NOT NULL,
    git_commit VARCHAR,
    started_at VARCHAR NOT NULL,
    content_hash VARCHAR NOT NULL
);

-- Grain: one scoring of an alignment on a dataset's pictures, on captions or on a set of
-- compositional examples.
CREATE TABLE align_evaluation (
    evaluation_id VARCHAR NOT NULL,
    run_id VARCHAR NOT NULL,
    -- where the pictures are from; one of the two, or none for compositional examples
    dataset_id VARCHAR,
    caption_set_id VARCHAR,
    text_feature_set_id VARCHAR NOT NULL,
    feature_set_id VARCHAR,
    -- the class names' language or origin; NULL for the dataset's own
    names VARCHAR,
    -- the list of classes that pictures and candidates are limited to, with the beginning of its
    -- hash; NULL for no limit
    class_list VARCHAR,
    -- the compositional examples, with the beginning of their hash; NULL for others
    example_set VARCHAR,
    split VARCHAR NOT NULL,
    -- of the trained projections
    aligner_sha256 VARCHAR NOT NULL,
    seconds DOUBLE NOT NULL,
    device VARCHAR NOT NULL,
    versions_json VARCHAR NOT NULL,
    command VARCHAR NOT NULL,
    created_at VARCHAR NOT NULL,
    content_hash VARCHAR NOT NULL
);

-- Grain: one query of a task: where the first right candidate stands.
CREATE TABLE align_answer (
    evaluation_id VARCHAR NOT NULL,
    -- zero-shot: pictures of unseen classes among unseen classes; seen: of seen classes among
    -- seen ones; generalised: all these pictures among all these classes;
    -- text-to-image: unseen classes (or captions) among pictures; image-to-text: of captions
    task VARCHAR NOT NULL,
    -- of a picture, a class or a text
    query_id BIGINT NOT NULL,
    -- of the query; NULL for captions
    class_id INTEGER,
    -- whether that class is unseen; NULL for captions
    unseen BOOLEAN,
    -- 1 is best; a wrong candidate that is as near as the right one stands before it
    rank BIGINT NOT NULL,
    n_right BIGINT NOT NULL,
    n_candidates BIGINT NOT NULL,
    -- the candidate that stands first: a class, a picture or a text
    first_id BIGINT NOT NULL,
    -- in WordNet's hypernym graph from the query's class to that of the candidate that stands
    -- first; NULL where one has no place in it
    edges INTEGER,
    cosine_right FLOAT NOT NULL,
    cosine_first FLOAT NOT NULL
);

-- Grain: one compositional example: two captions, two pictures, all four cosines.
CREATE TABLE align_composition (
    evaluation_id VARCHAR NOT NULL,
    example_id BIGINT NOT NULL,
    tag VARCHAR,
    -- caption 0 or 1 with picture 0 or 1; 0 goes with 0, 1 with 1
    c0_i0 FLOAT NOT NULL,
    c1_i0 FLOAT NOT NULL,
    c0_i1 FLOAT NOT NULL,
    c1_i1 FLOAT NOT NULL
);

-- Grain: one measure of an LM that the user brings, such as MMLU-Pro.
CREATE TABLE lm_capability (
    -- as in text_feature_set.lm
    lm VARCHAR NOT NULL,
    capability VARCHAR NOT NULL,
    value DOUBLE NOT NULL,
    source VARCHAR
);
