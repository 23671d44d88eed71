-- Binding: how a decoder tells which colour goes with which shape.

-- Grain: one set of rendered scenes on disk, its pictures encoded by a frozen encoder.
CREATE TABLE scene_set (
    scene_set_id VARCHAR NOT NULL,
    encoder VARCHAR NOT NULL,
    revision VARCHAR NOT NULL,
    weights_sha256 VARCHAR,
    layer VARCHAR NOT NULL,
    -- fixed | jittered | random: where objects stand
    scene_layout VARCHAR NOT NULL,
    -- shares of the picture's side: the smallest and the largest object
    size_from DOUBLE NOT NULL,
    size_to DOUBLE NOT NULL,
    n_colours BIGINT NOT NULL,
    n_shapes BIGINT NOT NULL,
    -- fewest and most objects of a scene
    n_from BIGINT NOT NULL,
    n_to BIGINT NOT NULL,
    n_scenes BIGINT NOT NULL,
    -- pixels of a picture's side as the renderer draws it
    side BIGINT NOT NULL,
    -- image tokens of a scene and their channels
    n_image_tokens BIGINT NOT NULL,
    width BIGINT NOT NULL,
    seed BIGINT NOT NULL,
    -- of scenes and features
    sha256 VARCHAR NOT NULL,
    path VARCHAR NOT NULL
);

-- Grain: one decoder, trained from scratch or from another run's weights.
CREATE TABLE binding_run (
    run_id VARCHAR NOT NULL,
    -- s3
    experiment VARCHAR NOT NULL,
    -- name of the sequence of stages, such as text, noise-text, image-text; own for a user's
    arm VARCHAR NOT NULL,
    -- the factors of the factorial, as they were used in any stage
    uses_noise BOOLEAN NOT NULL,
    uses_grounding BOOLEAN NOT NULL,
    uses_image BOOLEAN NOT NULL,
    -- image and text steps in turn within one stage
    uses_mixing BOOLEAN NOT NULL,
    uses_expansion BOOLEAN NOT NULL,
    -- rope | learned | none | random-offset
    position VARCHAR NOT NULL,
    -- of the pictures; NULL without images
    scene_set_id VARCHAR,
    scene_layout VARCHAR,
    encoder VARCHAR,
    -- scratch | text-trained
    start VARCHAR NOT NULL,
    -- whose weights it started from; NULL from scratch
    start_run_id VARCHAR,
    -- stages and every other setting
    recipe VARCHAR NOT NULL,
    recipe_json VARCHAR NOT NULL,
    n_layers BIGINT NOT NULL,
    width BIGINT NOT NULL,
    n_heads BIGINT NOT NULL,
    n_params BIGINT NOT NULL,
    -- fewest and most objects that training shows
    n_from BIGINT NOT NULL,
    n_to BIGINT NOT NULL,
    seed_init BIGINT NOT NULL,
    seed_order BIGINT NOT NULL,
    -- of this run alone, without what it started from
    n_steps BIGINT NOT NULL,
    n_questions BIGINT NOT NULL,
    -- tokens that take a position, with noise and image tokens; and those that are computed
    n_tokens BIGINT NOT NULL,
    n_tokens_computed BIGINT NOT NULL,
    flops DOUBLE NOT NULL,
    -- runs that trained in one batched model, with this one
    n_together BIGINT NOT NULL,
    seconds DOUBLE NOT NULL,
    device VARCHAR NOT NULL,
    -- of the computation: float32 | bfloat16
    precision VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    weights_sha256 VARCHAR NOT NULL,
    versions_json VARCHAR NOT NULL,
    command VARCHAR NOT NULL,
    git_commit VARCHAR,
    started_at VARCHAR NOT NULL,
    content_hash VARCHAR NOT NULL
);

-- Grain: answers of a run at one moment, by kind of context and number of objects.
CREATE TABLE binding_accuracy (
    run_id VARCHAR NOT NULL,
    -- of this run; 0 is before training
    step BIGINT NOT NULL,
    -- the stage that the step ends or lies in; start before training
    stage VARCHAR NOT NULL,
    -- the last step of its stage
    ends_stage BOOLEAN NOT NULL,
    -- text | image
    context VARCHAR NOT NULL,
    -- base | expanded
    vocabulary VARCHAR NOT NULL,
    -- two | colour-shape | shape-item
    question VARCHAR NOT NULL,
    n_objects BIGINT NOT NULL,
    -- not more objects than training shows
    in_distribution BOOLEAN NOT NULL,
    n_questions BIGINT NOT NULL,
    n_right BIGINT NOT NULL,
    -- answers that are an item of the scene, right or not
    n_in_scene BIGINT NOT NULL,
    -- mean cross-entropy, nats
    loss DOUBLE NOT NULL
);

-- Grain: one look into a decoder: a run of this package at a step, or an LM of Hugging Face.
CREATE TABLE binding_probe (
    probe_id VARCHAR NOT NULL,
    -- interchange | knockout | linear | retrieval
    kind VARCHAR NOT NULL,
    -- of a run; NULL for an LM
    run_id VARCHAR,
    step BIGINT,
    -- of an LM; NULL for a run
    lm VARCHAR,
    lm_revision VARCHAR,
    lm_hash VARCHAR,
    -- the LM is the language part of a vision-language model
    is_vlm BOOLEAN NOT NULL,
    -- of a comparison `--lm A --vlm-lm B`, both probes name it; NULL for others
    pair_id VARCHAR,
    context VARCHAR NOT NULL,
    vocabulary VARCHAR NOT NULL,
    n_layers BIGINT NOT NULL,
    n_examples BIGINT NOT NULL,
    -- s and t drawn independently, as the authors did
    as_published BOOLEAN NOT NULL,
    seed BIGINT NOT NULL,
    settings_json VARCHAR NOT NULL,
    seconds DOUBLE NOT NULL,
    device VARCHAR NOT NULL,
    versions_json VARCHAR NOT NULL,
    command VARCHAR NOT NULL,
    created_at VARCHAR NOT NULL,
    content_hash VARCHAR NOT NULL
);

-- Grain: interchange interventions of a probe at one layer.
CREATE TABLE binding_interchange (
    probe_id VARCHAR NOT NULL,
    n_objects BIGINT NOT NULL,
    -- 0: the embeddings; l: the residual stream after block l
    layer BIGINT NOT NULL,
    -- counterfactual | random-direction (of the same norm) | permuted (of another example)
    patch VARCHAR NOT NULL,
    n_examples BIGINT NOT NULL,
    -- by what the patched run answers; they add up with n_other to n_examples - n_ambiguous
    n_positional BIGINT NOT NULL,
    n_symbolic BIGINT NOT NULL,
    n_reflexive BIGINT NOT NULL,
    n_no_effect BIGINT NOT NULL,
    n_other BIGINT NOT NULL,
    -- answers that are symbolic and reflexive at once, as s = t; 0 unless as_published
    n_ambiguous BIGINT NOT NULL
);

-- Grain: attention edges of a set, cut over a window of layers.
CREATE TABLE binding_knockout (
    probe_id VARCHAR NOT NULL,
    n_objects BIGINT NOT NULL,
    -- which queries no longer see which keys
    edges VARCHAR NOT NULL,
    -- blocks, the first is 1; both ends are cut
    layer_from BIGINT NOT NULL,
    layer_to BIGINT NOT NULL,
    n_examples BIGINT NOT NULL,
    n_right_before BIGINT NOT NULL,
    n_right BIGINT NOT NULL
);

-- Grain: what a linear probe reads off one kind of token at one layer.
CREATE TABLE binding_linear (
    probe_id VARCHAR NOT NULL,
    n_objects BIGINT NOT NULL,
    layer BIGINT NOT NULL,
    -- colour | shape | association-shape | association-item | context-end | query | answer
    token VARCHAR NOT NULL,
    -- what is read off: colour, shape, item of the token's object, or its index
    attribute VARCHAR NOT NULL,
    -- labels permuted among the examples: what a probe finds where there is nothing
    permuted BOOLEAN NOT NULL,
    n_train BIGINT NOT NULL,
    n_test BIGINT NOT NULL,
    n_right BIGINT NOT NULL,
    n_classes BIGINT NOT NULL
);

-- Grain: an LM's answers to the retrieval task in words, by length of the context.
CREATE TABLE binding_retrieval (
    probe_id VARCHAR NOT NULL,
    n_objects BIGINT NOT NULL,
    -- mean tokens of a prompt
    n_tokens DOUBLE NOT NULL,
    n_questions BIGINT NOT NULL,
    -- the right item has the highest logit of all items of the scene; of the whole vocabulary
    n_right BIGINT NOT NULL,
    n_right_open BIGINT NOT NULL
);
