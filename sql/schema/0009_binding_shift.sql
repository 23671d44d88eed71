-- Binding: whether a decoder is tied to the positions that it was trained at.

-- Grain: answers to a text all of whose positions are shifted, context and question alike; of a
-- probe of kind shift.
CREATE TABLE binding_shifted (
    probe_id VARCHAR NOT NULL,
    n_objects BIGINT NOT NULL,
    -- positions; 0: as in training. Shifts that leave learned positions have no row
    shift BIGINT NOT NULL,
    n_questions BIGINT NOT NULL,
    -- the right item has the highest logit of the whole vocabulary
    n_right BIGINT NOT NULL
);
