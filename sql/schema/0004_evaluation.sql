-- A trained projector scored again: on another manifest's questions, in another image mode or on
-- another split than at the end of its training. What a run answered to its own manifest's
-- questions, in prediction or here, is in the view answered.

-- One scoring of one run. projector_sha256: of the file of weights that answered. seed: of noise
-- and other-leaf. n_verified and largest_difference: questions that were also asked one by one,
-- and how far the furthest of their logits lay off, in units of max(1, |logit|); NULL: none was.
CREATE TABLE evaluation (
    evaluation_id VARCHAR PRIMARY KEY,
    run_id VARCHAR NOT NULL,
    manifest_id VARCHAR NOT NULL,
    image_mode VARCHAR NOT NULL,
    split VARCHAR NOT NULL,
    seed BIGINT NOT NULL,
    projector_sha256 VARCHAR NOT NULL,
    n_questions BIGINT NOT NULL,
    packed BOOLEAN NOT NULL,
    n_verified BIGINT,
    largest_difference DOUBLE,
    seconds DOUBLE NOT NULL,
    device VARCHAR NOT NULL,
    versions_json VARCHAR NOT NULL,
    command VARCHAR NOT NULL,
    created_at VARCHAR NOT NULL,
    content_hash VARCHAR NOT NULL
);

CREATE TABLE evaluation_prediction (
    evaluation_id VARCHAR NOT NULL,
    example_id BIGINT NOT NULL,
    logit_yes FLOAT NOT NULL,
    logit_no FLOAT NOT NULL,
    predicted BOOLEAN NOT NULL
);
