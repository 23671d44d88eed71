-- Hypernyms that training mentions only to deny them
-- A word that training asks with No alone teaches No, not absence of evidence. In S1 the same 10
--   categories score 70.4 when all 53 are held out but 47.2 when only they are: probably this.
--   Training questions were not released, so that only own manifests can be checked.
-- Grain: one row per manifest and hypernym with training questions of which none is Yes.
-- Units: n_no: training questions that ask it; n_train: hypernym training questions of the
--   manifest. held_out_f1, held_out_blind_f1 in [0, 1]: macro-F1 on its held-out test questions,
--   mean over the n_runs runs of the manifest with pretrained weights; NULL where there is none.
-- Empty: no manifest asks a hypernym in training with the answer No alone
-- Params: $manifest VARCHAR: a manifest id or its beginning; all manifests when left out.
WITH trained AS (
    SELECT
        manifest_id,
        asked_id,
        count(*) FILTER (answer) AS n_yes,
        count(*) AS n_questions
    FROM example
    WHERE
        in_training
        AND kind = 'hypernym'
        AND ($manifest IS NULL OR starts_with(manifest_id, $manifest::VARCHAR))
    GROUP BY manifest_id, asked_id
),

denied AS (
    SELECT
        *,
        sum(n_questions) OVER (PARTITION BY manifest_id)::BIGINT AS n_train
    FROM trained
    QUALIFY n_yes = 0
),

scored AS (
    SELECT
        run.manifest_id,
        hypernym_score.hypernym_id AS asked_id,
        avg(macro_f1 ORDER BY run_id) AS held_out_f1,
        avg(blind_f1 ORDER BY run_id) AS held_out_blind_f1,
        count(macro_f1) AS n_runs
    FROM hypernym_score
    JOIN run USING (run_id)
    WHERE image_mode = 'real' AND question_set = 'held_out' AND lm_init = 'pretrained'
    GROUP BY ALL
)

SELECT
    denied.manifest_id,
    manifest.dataset_id AS dataset,
    manifest.relation,
    manifest.design,
    manifest.unit,
    manifest.ratio,
    manifest.n_held_out_hypernyms,
    manifest.mentions,
    manifest.negatives,
    manifest.shuffle,
    manifest.seed,
    concept.name AS hypernym,
    denied.n_questions AS n_no,
    denied.n_train,
    scored.held_out_f1,
    scored.held_out_blind_f1,
    coalesce(scored.n_runs, 0) AS n_runs
FROM denied
JOIN manifest USING (manifest_id)
JOIN concept
    ON concept.dataset_id = manifest.dataset_id AND concept.concept_id = denied.asked_id
LEFT JOIN scored USING (manifest_id, asked_id)
ORDER BY denied.manifest_id, hypernym;
