-- Alignment: what an LM makes of class names or captions, and which classes training may see.

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

-- Grain: one separation of a dataset's leaves into seen and unseen ones.
CREATE TABLE separation (
    separation_id VARCHAR NOT NULL,
    dataset_id VARCHAR NOT NULL,
    n_unseen BIGINT NOT NULL,
    max_branch BIGINT NOT NULL,
    -- edges of WordNet's hypernym graph that level branch keeps clear
    distance BIGINT NOT NULL,
    -- of level similar; NULL without it
    max_cosine DOUBLE,
    text_feature_set_id VARCHAR,
    min_training BIGINT NOT NULL,
    seed BIGINT NOT NULL,
    -- the nodes whose classes are unseen: a JSON list
    roots_json VARCHAR NOT NULL,
    summary_json VARCHAR NOT NULL,
    created_at VARCHAR NOT NULL
);

-- Grain: a class of a separation, at a level, in an arm.
CREATE TABLE separation_class (
    separation_id VARCHAR NOT NULL,
    level VARCHAR NOT NULL,
    -- separated: relatives of unseen classes are removed; control: as many others at random
    arm VARCHAR NOT NULL,
    class_id INTEGER NOT NULL,
    -- unseen | seen | removed
    status VARCHAR NOT NULL,
    in_training BOOLEAN NOT NULL,
    -- of removed ones: name | lemma | hyponym_lemma | hypernym | hyponym | distance | cosine |
    -- random
    reason VARCHAR,
    -- the unseen class that it is too near to
    unseen_id INTEGER,
    detail VARCHAR
);

-- Grain: a tie between an unseen class and a class that training sees, at a level, in an arm.
CREATE TABLE separation_leak (
    separation_id VARCHAR NOT NULL,
    level VARCHAR NOT NULL,
    arm VARCHAR NOT NULL,
    unseen_id INTEGER NOT NULL,
    -- one of the two: a class, or a training text
    seen_id INTEGER,
    text_row BIGINT,
    relation VARCHAR NOT NULL,
    detail VARCHAR,
    distance INTEGER,
    cosine DOUBLE
);
