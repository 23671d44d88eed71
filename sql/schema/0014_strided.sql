-- Manifests with negatives strided: the questions are derived from these (view example_derived).

-- Grain: a picture that can be in questions, of a dataset with such a manifest.
CREATE TABLE image_place (
    dataset_id VARCHAR NOT NULL,
    split VARCHAR NOT NULL,
    -- among the pictures of the split, in the order of a hash
    place BIGINT NOT NULL,
    image_id INTEGER NOT NULL,
    leaf_id INTEGER NOT NULL
);

-- Grain: a manifest.
CREATE TABLE strided (
    manifest_id VARCHAR PRIMARY KEY,
    -- an example's id is image_id * 2^31 + asked_id, xor this
    id_mask BIGINT NOT NULL
);

-- Grain: a cell that is not false, of a manifest; all other cells of its leaves and hypernyms are.
CREATE TABLE strided_cell (
    manifest_id VARCHAR NOT NULL,
    leaf_id INTEGER NOT NULL,
    hypernym_id INTEGER NOT NULL,
    -- false: neither true nor false
    is_true BOOLEAN NOT NULL
);

-- Grain: a leaf of a manifest.
CREATE TABLE strided_leaf (
    manifest_id VARCHAR NOT NULL,
    leaf_id INTEGER NOT NULL,
    -- of the key (a x + b) mod (2^31 - 1) of its cells
    x BIGINT NOT NULL,
    -- all its cells are
    held_out BOOLEAN NOT NULL,
    -- among the leaves that are labels, by id; NULL where it is none, as in the next five
    place BIGINT,
    -- leaf No about it number its n_eligible leaves; these are where the place jumps by one
    jumps BIGINT[],
    n_eligible BIGINT,
    -- draw k about the picture at place p asks number (start + p stride + k step) mod n_eligible
    start BIGINT,
    stride BIGINT,
    step BIGINT,
    -- training may ask it
    in_training BOOLEAN NOT NULL,
    -- drawn training questions that ask it, by answer
    n_yes BIGINT NOT NULL,
    n_no BIGINT NOT NULL
);

-- Grain: a hypernym, or target of the relation, of a manifest.
CREATE TABLE strided_hypernym (
    manifest_id VARCHAR NOT NULL,
    hypernym_id INTEGER NOT NULL,
    a BIGINT NOT NULL,
    b BIGINT NOT NULL,
    -- a cell is held out if its key is below the bound of its answer
    below_true BIGINT NOT NULL,
    below_false BIGINT NOT NULL,
    -- training has a Yes of it
    taught BOOLEAN NOT NULL,
    -- training may ask it
    in_training BOOLEAN NOT NULL,
    n_cells BIGINT NOT NULL,
    n_held_out BIGINT NOT NULL
);

-- Grain: the No of a hypernym in a split, of a manifest.
CREATE TABLE strided_draw (
    manifest_id VARCHAR NOT NULL,
    hypernym_id INTEGER NOT NULL,
    split VARCHAR NOT NULL,
    -- draw k takes the picture at place (start + k stride) mod n_images, if it is a No about it
    n_images BIGINT NOT NULL,
    start BIGINT NOT NULL,
    stride BIGINT NOT NULL,
    n_draws BIGINT NOT NULL,
    -- questions, and those of held-out cells
    n_yes BIGINT NOT NULL,
    n_no BIGINT NOT NULL,
    n_yes_held_out BIGINT NOT NULL,
    n_no_held_out BIGINT NOT NULL
);

-- Grain: up to 4096 draws in a row of a row of strided_draw, from which they are derived.
CREATE TABLE strided_block (
    manifest_id VARCHAR NOT NULL,
    hypernym_id INTEGER NOT NULL,
    split VARCHAR NOT NULL,
    n_images BIGINT NOT NULL,
    -- of the first of them
    place BIGINT NOT NULL,
    stride BIGINT NOT NULL,
    n_draws BIGINT NOT NULL
);
