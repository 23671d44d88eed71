-- Statistics: what was compared, how, and what came out; and plans that were frozen before.

-- Grain: one plan. Frozen for good: another text is another plan.
CREATE TABLE plan (
    plan_id VARCHAR PRIMARY KEY,
    name VARCHAR NOT NULL,
    -- the file as it was read
    plan_toml VARCHAR NOT NULL,
    -- JSON object: manifest_id -> rows_sha256 of every manifest that the plan names
    manifests_json VARCHAR NOT NULL,
    n_contrasts BIGINT NOT NULL,
    versions_json VARCHAR NOT NULL,
    created_at VARCHAR NOT NULL
);

-- Grain: one method's result on one comparison, or on one side of it (kind level).
CREATE TABLE stat (
    stat_id VARCHAR PRIMARY KEY,
    -- the results of one command, or of one plan: p_holm corrects within it, method by method
    family VARCHAR NOT NULL,
    -- NULL outside a plan
    plan_id VARCHAR,
    contrast VARCHAR,
    confirmatory BOOLEAN NOT NULL,
    -- why it is not, where a plan asked for it
    exploratory_because VARCHAR,
    -- level | difference | coefficient
    kind VARCHAR NOT NULL,
    -- bootstrap | permutation | mcnemar | tost | mixed
    method VARCHAR NOT NULL,
    metric VARCHAR NOT NULL,
    -- sides in words: what tells them apart; b is NULL for one side alone
    a VARCHAR NOT NULL,
    b VARCHAR,
    -- what both sides have in common, in words
    given VARCHAR NOT NULL,
    -- JSON object {"a": {column: value}, "b": ...}: the columns that chose the runs
    sides_json VARCHAR NOT NULL,
    -- JSON object {"a": [run_id], "b": [run_id]}
    runs_json VARCHAR NOT NULL,
    -- of a mixed model
    term VARCHAR,
    estimate DOUBLE NOT NULL,
    low DOUBLE,
    high DOUBLE,
    confidence DOUBLE,
    se DOUBLE,
    p DOUBLE,
    p_holm DOUBLE,
    effect DOUBLE,
    -- what effect is
    effect_name VARCHAR,
    -- of equivalence
    margin DOUBLE,
    -- runs of both sides are paired by their seeds
    paired BOOLEAN NOT NULL,
    -- NULL for a mixed model, which knows scores alone
    n_leaves BIGINT,
    n_hypernyms BIGINT NOT NULL,
    n_questions BIGINT,
    n_runs_a BIGINT NOT NULL,
    n_runs_b BIGINT,
    -- draws of the manifest and of the projector that the runs vary over; NULL for a mixed model
    n_designs BIGINT,
    n_inits BIGINT,
    settings_json VARCHAR NOT NULL,
    -- what a reader must know of this result
    note VARCHAR,
    versions_json VARCHAR NOT NULL,
    created_at VARCHAR NOT NULL
);
