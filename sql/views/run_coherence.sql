-- The visual coherence that goes with each run, hypernym by hypernym.
-- Grain: run_id, hypernym, coherence_encoder. Own runs: that of the run's features and shuffle.
-- Released runs: the released one of their dataset and shuffle, whatever encoder it is of
-- (coherence_encoder). Units: mean cosines in [-1, 1]; other_leaf: pairs of two leaves only.
CREATE OR REPLACE VIEW run_coherence AS
SELECT
    run.run_id,
    coherence.hypernym,
    coherence.encoder AS coherence_encoder,
    avg(coherence.coherence ORDER BY coherence.coherence_id) AS coherence,
    avg(coherence.coherence_other_leaf ORDER BY coherence.coherence_id) AS coherence_other_leaf
FROM run
JOIN manifest USING (manifest_id)
JOIN coherence
    ON coherence.source = 'own'
    AND coherence.dataset = run.dataset_id
    AND coherence.feature_set_id = run.feature_set_id
    AND coherence.relation = manifest.relation
    AND coalesce(coherence.shuffle_id, 'none') = manifest.shuffle_id
GROUP BY run.run_id, coherence.hypernym, coherence.encoder
UNION ALL
SELECT
    released_run.run_id,
    coherence.hypernym,
    coherence.encoder AS coherence_encoder,
    coherence.coherence,
    coherence.coherence_other_leaf
FROM released_run
JOIN coherence USING (source, dataset, relation, shuffle);
