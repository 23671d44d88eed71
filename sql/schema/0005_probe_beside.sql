-- Task yes_no asks more than the probe is scored on: what test questions of manifests ask too, so
-- that runs can be held beside it on all their questions. drawn: a pair of the probe, or the false
-- one drawn for it, which its scores are over; else it was asked only to be held beside runs.
ALTER TABLE text_probe_answer ADD COLUMN drawn BOOLEAN DEFAULT true;
ALTER TABLE text_probe_answer ALTER COLUMN drawn SET NOT NULL;
