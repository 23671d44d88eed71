-- Macro-F1 of every condition on held-out, seen and leaf questions, beside the blind guess
-- Grain: one row per condition and question_set; runs of a condition differ by seed only.
-- Units: macro_f1 and blind_f1 in [0, 1], test questions with the real image. Per run and
--   hypernym the mean of F1(Yes) and F1(No); then the mean over hypernyms, then over runs.
--   question_set leaf is one group over all leaf questions, with n_hypernyms NULL.
-- n_hypernyms: hypernyms with a score in some run. n_single_class: groups of one run and one
--   hypernym left out because their true answers are all Yes or all No. n_runs: runs in the
--   mean. Conditions that differ in a setting without a column here (closure,
--   train_leaf_negatives) stay apart, in rows of their own.
-- Params: none
WITH scored AS (
    SELECT
        run.source,
        run.dataset_id AS dataset,
        manifest.relation,
        run.lm,
        run.lm_init,
        run.encoder,
        run.recipe,
        run.prompt,
        manifest.design,
        manifest.unit,
        manifest.ratio,
        manifest.n_held_out_hypernyms,
        manifest.mentions,
        manifest.negatives,
        manifest.shuffle,
        manifest.closure,
        manifest.train_leaf_negatives,
        run_score.*
    FROM run_score
    JOIN run USING (run_id)
    JOIN manifest USING (manifest_id)
    WHERE
        run_score.image_mode = 'real'
        AND run_score.question_set IN ('held_out', 'seen', 'leaf')
),

condition AS (
    SELECT
        scored.* EXCLUDE (
            run_id, image_mode, macro_f1, blind_f1, hypernym_ids, n_hypernyms, n_single_class,
            n_questions
        ),
        avg(macro_f1 ORDER BY run_id) AS macro_f1,
        avg(blind_f1 ORDER BY run_id) AS blind_f1,
        len(list_distinct(flatten(list(coalesce(hypernym_ids, []))))) AS n_hypernyms,
        sum(n_single_class)::BIGINT AS n_single_class,
        count(macro_f1) AS n_runs
    FROM scored
    GROUP BY ALL
)

SELECT
    * EXCLUDE (closure, train_leaf_negatives)
    REPLACE (CASE WHEN question_set <> 'leaf' THEN n_hypernyms END AS n_hypernyms)
FROM condition
ORDER BY ALL;
