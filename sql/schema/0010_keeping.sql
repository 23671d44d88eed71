-- Keeping: what sync found beside the store and could not use.

-- Grain: a folder that the last sync of its folder of runs refused.
CREATE TABLE broken_folder (
    -- the folder of runs, from the store's own folder
    runs VARCHAR NOT NULL,
    -- as sync names it: RUN, RUN/evals/EVALUATION or probes/PROBE
    folder VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    -- of names, sizes and times of its files: as long as it holds, damage is not looked at again;
    -- empty where the reason may go by itself, such as a manifest that is not in the store yet
    stamp VARCHAR NOT NULL,
    found_at VARCHAR NOT NULL
);
