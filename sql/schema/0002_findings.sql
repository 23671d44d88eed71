-- What is measured beside runs (coherence, text probe, alignment, ceiling), the results that
-- others released, and relations other than hypernymy. Each owner column (*_id of the table's
-- name) is a content hash: measured again, its rows are replaced.

ALTER TABLE dataset ADD COLUMN relations VARCHAR DEFAULT 'hypernym';
ALTER TABLE dataset ALTER COLUMN relations SET NOT NULL;
ALTER TABLE leaf_hypernym ADD COLUMN relation VARCHAR DEFAULT 'hypernym';
ALTER TABLE leaf_hypernym ALTER COLUMN relation SET NOT NULL;

-- A run of somebody else, with its settings as columns. dataset: a name such as things-s1.
CREATE TABLE released_run (
    run_id VARCHAR PRIMARY KEY,
    source VARCHAR NOT NULL,
    run_name VARCHAR NOT NULL,
    dataset VARCHAR NOT NULL,
    relation VARCHAR NOT NULL,
    lm VARCHAR NOT NULL,
    lm_init VARCHAR NOT NULL,
    encoder VARCHAR NOT NULL,
    recipe VARCHAR NOT NULL,
    prompt VARCHAR NOT NULL,
    design VARCHAR NOT NULL,
    unit VARCHAR NOT NULL,
    ratio DOUBLE NOT NULL,
    n_held_out_hypernyms BIGINT,
    mentions VARCHAR NOT NULL,
    negatives VARCHAR NOT NULL,
    shuffle VARCHAR NOT NULL,
    seed BIGINT NOT NULL
);

-- Grain: run_id, question_set, concept (a hypernym in its canonical wording, or a leaf's word).
-- question_set: leaf, held_out_s1, seen_s1 as released. macro_f1_s1 is the mean F1 over the
-- labels present, blind_f1_s1 that of the majority answer on the same questions.
CREATE TABLE released_score (
    run_id VARCHAR NOT NULL,
    question_set VARCHAR NOT NULL,
    concept VARCHAR NOT NULL,
    macro_f1_s1 DOUBLE NOT NULL,
    blind_f1_s1 DOUBLE,
    accuracy DOUBLE,
    -- NULL where the release does not say
    n_questions BIGINT,
    -- every question of the concept whose answer is Yes is in this set: it was not trained
    whole BOOLEAN NOT NULL
);

-- The hypernyms of released results. released_as: wordings in the files, parted by " | ".
CREATE TABLE released_hypernym (
    source VARCHAR NOT NULL,
    hypernym VARCHAR NOT NULL,
    released_as VARCHAR NOT NULL,
    synset VARCHAR,
    depth INTEGER
);

-- A text-only probe as released: one number a hypernym.
CREATE TABLE released_probe (
    source VARCHAR NOT NULL,
    dataset VARCHAR NOT NULL,
    lm VARCHAR NOT NULL,
    hypernym VARCHAR NOT NULL,
    accuracy DOUBLE NOT NULL,
    macro_f1 DOUBLE NOT NULL
);

-- Mean cosine of all pairs of a hypernym's training images, labels as the shuffle has them.
-- other_leaf: pairs of two leaves only. dataset: an id, or the name of a released dataset.
CREATE TABLE coherence (
    coherence_id VARCHAR NOT NULL,
    source VARCHAR NOT NULL,
    dataset VARCHAR NOT NULL,
    feature_set_id VARCHAR,
    encoder VARCHAR NOT NULL,
    relation VARCHAR NOT NULL,
    shuffle VARCHAR NOT NULL,
    shuffle_id VARCHAR,
    hypernym VARCHAR NOT NULL,
    coherence DOUBLE,
    coherence_other_leaf DOUBLE,
    n_images BIGINT NOT NULL,
    n_leaves BIGINT
);

-- One asking of one LM, without pictures: one task in one phrasing.
CREATE TABLE text_probe (
    probe_id VARCHAR PRIMARY KEY,
    dataset_id VARCHAR NOT NULL,
    relation VARCHAR NOT NULL,
    lm VARCHAR NOT NULL,
    lm_revision VARCHAR,
    lm_hash VARCHAR NOT NULL,
    lm_init VARCHAR NOT NULL,
    seed BIGINT NOT NULL,
    task VARCHAR NOT NULL,
    phrasing BIGINT NOT NULL,
    template VARCHAR NOT NULL,
    chat BOOLEAN NOT NULL,
    forms_json VARCHAR NOT NULL,
    n_pairs BIGINT NOT NULL,
    versions_json VARCHAR NOT NULL,
    created_at VARCHAR NOT NULL
);

-- Grain: probe_id, leaf, hypernym. Task yes_no: log probability of the Yes and of the No forms.
-- Task sentence: mean log probability a token of the sentence that says it and of the one that
-- says it of the foil. Task choice: log probability of the hypernym and of the best other one;
-- rank counts from 1 and is NULL for the other tasks.
CREATE TABLE text_probe_answer (
    probe_id VARCHAR NOT NULL,
    leaf_id INTEGER NOT NULL,
    hypernym_id INTEGER NOT NULL,
    answer BOOLEAN NOT NULL,
    score_yes DOUBLE NOT NULL,
    score_no DOUBLE NOT NULL,
    predicted BOOLEAN NOT NULL,
    rank BIGINT
);

-- How alike the neighbourhoods of leaves are in an encoder's features and in an LM.
-- hypernym NULL: over all leaves. mutual_knn in [0, 1]; cka, debiased, in [-1, 1] and about 0
-- for unrelated sides. layer counts from the token embeddings, 0.
CREATE TABLE alignment (
    alignment_id VARCHAR NOT NULL,
    dataset VARCHAR NOT NULL,
    feature_set_id VARCHAR NOT NULL,
    encoder VARCHAR NOT NULL,
    relation VARCHAR NOT NULL,
    lm VARCHAR NOT NULL,
    lm_hash VARCHAR NOT NULL,
    lm_init VARCHAR NOT NULL,
    layer BIGINT NOT NULL,
    shuffle VARCHAR NOT NULL,
    shuffle_id VARCHAR,
    hypernym VARCHAR,
    n_leaves BIGINT NOT NULL,
    k BIGINT NOT NULL,
    mutual_knn DOUBLE,
    mutual_knn_chance DOUBLE,
    cka DOUBLE
);

-- Answers to a manifest's test questions without an LM. method: leaf-lookup (a leaf classifier,
-- then the taxonomy) or hypernym-neighbours (nearest neighbours with full labels). score: the
-- probability of Yes with both answers as likely beforehand, in [0, 1]; Yes is said above 0.5.
CREATE TABLE ceiling (
    ceiling_id VARCHAR PRIMARY KEY,
    dataset_id VARCHAR NOT NULL,
    manifest_id VARCHAR NOT NULL,
    feature_set_id VARCHAR NOT NULL,
    encoder VARCHAR NOT NULL,
    method VARCHAR NOT NULL,
    settings_json VARCHAR NOT NULL,
    created_at VARCHAR NOT NULL
);

CREATE TABLE ceiling_prediction (
    ceiling_id VARCHAR NOT NULL,
    example_id BIGINT NOT NULL,
    score DOUBLE NOT NULL,
    predicted BOOLEAN NOT NULL
);
