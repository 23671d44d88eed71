-- Everything that a model of F1 over runs and hypernyms may want, own and released runs alike.
-- Grain: run_id, question_set (leaf questions left out), hypernym: what has a score.
-- Units: macro_f1, macro_f1_s1, balanced_accuracy as in the view score; coherence: mean cosine of
-- the hypernym's training pictures under the run's shuffle, in [-1, 1]; probe_f1: macro-F1 of the
-- same LM asked about the hypernym in text, mean over the Yes-No phrasings that were asked
-- (released ones: as published); depth: steps from WordNet's root. The three are NULL where they
-- were not measured. seed: of the manifest and of the run, as one text.
CREATE OR REPLACE VIEW score_beside AS
WITH seed AS (
    SELECT
        run.run_id,
        run.lm_hash,
        concat_ws('/', manifest.seed, run.seed_init, run.seed_order) AS seed
    FROM run
    JOIN manifest USING (manifest_id)
    UNION ALL
    SELECT run_id, NULL AS lm_hash, seed::VARCHAR AS seed
    FROM released_run
),

told AS (
    SELECT run_id, hypernym, avg(coherence ORDER BY coherence_encoder) AS coherence
    FROM run_coherence
    GROUP BY run_id, hypernym
),

probed AS (
    SELECT
        text_probe.dataset_id AS dataset,
        text_probe.relation,
        text_probe.lm_hash,
        probe_score.hypernym,
        avg(probe_score.macro_f1 ORDER BY text_probe.probe_id) AS probe_f1
    FROM text_probe
    JOIN probe_score USING (probe_id)
    WHERE text_probe.task = 'yes_no'
    GROUP BY ALL
)

SELECT
    run_condition.*,
    seed.seed,
    score.question_set,
    score.hypernym,
    score.macro_f1,
    score.macro_f1_s1,
    score.balanced_accuracy,
    score.n_questions,
    told.coherence,
    coalesce(probed.probe_f1, released_probe.macro_f1) AS probe_f1,
    coalesce(concept.depth, released_hypernym.depth) AS depth
FROM score
JOIN run_condition USING (run_id)
JOIN seed USING (run_id)
LEFT JOIN told
    ON told.run_id = score.run_id AND told.hypernym = score.hypernym
LEFT JOIN probed
    ON probed.dataset = run_condition.dataset
    AND probed.relation = run_condition.relation
    AND probed.lm_hash = seed.lm_hash
    AND probed.hypernym = score.hypernym
LEFT JOIN released_probe
    ON released_probe.source = run_condition.source
    AND released_probe.dataset = run_condition.dataset
    AND released_probe.lm = run_condition.lm
    AND released_probe.hypernym = score.hypernym
    AND run_condition.lm_init = 'pretrained'
LEFT JOIN concept
    ON concept.dataset_id = run_condition.dataset
    AND concept.name = score.hypernym
    AND concept.role = 'hypernym'
LEFT JOIN released_hypernym
    ON released_hypernym.source = run_condition.source
    AND released_hypernym.hypernym = score.hypernym
WHERE score.hypernym IS NOT NULL;
