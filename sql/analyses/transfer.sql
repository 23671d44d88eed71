-- Macro-F1 of trained runs on other manifests' questions, and of shared projectors on any
-- Not in S1. `xmodal eval --run R --manifest M` asks the projector of R what M asks, about M's
--   pictures of the split: what was learned under one ablation or shuffle, asked under another.
--   `xmodal eval --projector FOLDER` asks a projector that came as a folder of `xmodal card`.
-- Grain: one row per evaluation of another manifest than the run's own, question_set and own_set.
--   source: own for a run of this store; card for a shared projector, with any manifest, whose
--   run_id is of card_run and which no condition of other analyses has.
--   question_set: as the asked manifest has it (held_out, seen, unasked, leaf). own_set: the set
--   of the same questions in the run's own manifest; NULL where that does not ask them, as under
--   another shuffle, or where the manifest of a shared projector is not in this store. Held out of
--   the run's training is own_set held_out, whatever question_set says.
-- Units: macro_f1, blind_f1 and balanced_accuracy in [0, 1] as in hypernym_score, within the row's
--   questions: mean over hypernyms; leaf questions are one group. n_hypernyms: in the mean, NULL
--   for leaf. n_single_class: groups without F1, left out. trained_ and asked_: settings of the
--   run's own manifest and of the asked one.
-- Empty: no run was asked another manifest's questions: `xmodal eval --run RUN --manifest
--   OTHER`
-- Params: $run VARCHAR, NULL for all
WITH asker AS (
    SELECT
        'own' AS source,
        run.run_id,
        run.lm,
        run.lm_init,
        run.seed_init,
        run.manifest_id,
        trained.design AS trained_design,
        trained.ratio AS trained_ratio,
        trained.shuffle AS trained_shuffle
    FROM run
    JOIN manifest AS trained USING (manifest_id)
    UNION ALL
    SELECT
        'card' AS source,
        run_id,
        lm,
        lm_init,
        seed_init,
        trained_manifest_id AS manifest_id,
        trained_design,
        trained_ratio,
        trained_shuffle
    FROM card_run
),

counted AS (
    SELECT
        evaluation.evaluation_id,
        asker.source,
        asker.run_id,
        asker.lm,
        asker.lm_init,
        asker.seed_init,
        evaluation.image_mode,
        evaluation.split,
        asker.trained_design,
        asker.trained_ratio,
        asker.trained_shuffle,
        evaluation.manifest_id,
        asked.relation AS asked_relation,
        asked.design AS asked_design,
        asked.ratio AS asked_ratio,
        asked.shuffle AS asked_shuffle,
        example.question_set,
        own.question_set AS own_set,
        CASE WHEN example.kind = 'hypernym' THEN example.asked_id END AS hypernym_id,
        count(*) FILTER (example.answer AND said.predicted) AS tp,
        count(*) FILTER (NOT example.answer AND said.predicted) AS fp,
        count(*) FILTER (example.answer AND NOT said.predicted) AS fn,
        count(*) FILTER (NOT example.answer AND NOT said.predicted) AS tn
    FROM evaluation
    JOIN asker
        ON asker.run_id = evaluation.run_id
        AND (asker.source = 'card' OR asker.manifest_id <> evaluation.manifest_id)
    JOIN manifest AS asked ON asked.manifest_id = evaluation.manifest_id
    JOIN evaluation_prediction AS said ON said.evaluation_id = evaluation.evaluation_id
    JOIN example
        ON example.manifest_id = evaluation.manifest_id
        AND example.example_id = said.example_id
    LEFT JOIN example AS own
        ON own.manifest_id = asker.manifest_id
        AND own.example_id = said.example_id
    WHERE $run IS NULL OR evaluation.run_id = $run
    GROUP BY ALL
),

averaged AS (
    SELECT
        * EXCLUDE (hypernym_id, tp, fp, fn, tn),
        avg(answer_f1(tp, fp, fn, tn) ORDER BY hypernym_id) AS macro_f1,
        avg(constant_f1(tp + fn, tn + fp) ORDER BY hypernym_id) AS blind_f1,
        avg(CASE WHEN tp + fn > 0 AND tn + fp > 0 THEN
            (tp / (tp + fn) + tn / (tn + fp)) / 2
        END ORDER BY hypernym_id) AS balanced_accuracy,
        count(answer_f1(tp, fp, fn, tn)) AS n_hypernyms,
        count(*) - count(answer_f1(tp, fp, fn, tn)) AS n_single_class,
        sum(tp + fp + fn + tn)::BIGINT AS n_questions
    FROM counted
    GROUP BY ALL
)

SELECT * REPLACE (CASE WHEN question_set <> 'leaf' THEN n_hypernyms END AS n_hypernyms)
FROM averaged
ORDER BY ALL;
