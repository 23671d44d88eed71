-- Provenance: what of a machine bears on the last bits of a run, and whether its code was committed.

-- Grain: one run of a projector, an alignment or a decoder; none for runs of before it was kept.
CREATE TABLE run_setup (
    run_id VARCHAR NOT NULL,
    -- files of the checkout differed from its commit; NULL outside a checkout
    git_dirty BOOLEAN,
    -- of torch
    threads BIGINT NOT NULL,
    -- of the frozen LM's weights, or of the matrix products: float32 | bfloat16
    precision VARCHAR NOT NULL,
    -- operating system and architecture
    platform VARCHAR NOT NULL,
    -- the GPU's name, or the CPU instructions that torch uses
    processor VARCHAR NOT NULL,
    -- JSON list of the runs that trained in one pass or one batched model, this one among them, in
    -- their order: sums are rounded by it; NULL for a run alone
    together_json VARCHAR
);
