-- What is recognition and what is the LM: answers without an LM on the same questions
-- Not in S1, which has no ceiling. leaf-lookup: a leaf classifier on the same features, then the
--   taxonomy: what perfect knowledge would make of this recognition. hypernym-neighbours: nearest
--   training pictures with full hypernym labels: what could be learnt had nothing been held out.
-- Grain: one row per condition and question_set (held_out, seen, unasked, leaf), own runs.
-- Units: macro-F1 in [0, 1], mean over hypernyms, then over runs, real image. A run is held
--   against ceilings of its manifest and its features; of several settings the latest. A ceiling
--   is NULL where there is none, or where it did not answer exactly as many questions as the run.
--   lookup_gap = leaf_lookup_f1 - macro_f1: lost between recognition and answer. above_blind: the
--   share of the way from blind_f1 to leaf_lookup_f1 that the runs go. Means with a ceiling in
--   them are over the n_lookup_runs or n_neighbours_runs that have it, the others over n_runs.
-- Empty: no run has the manifest and features of a measured ceiling: `xmodal ceiling
--   --manifest ID` measures one
-- Params: none
WITH latest AS (
    SELECT ceiling.*
    FROM ceiling
    QUALIFY row_number() OVER (
        PARTITION BY manifest_id, feature_set_id, method ORDER BY created_at DESC, ceiling_id
    ) = 1
),

ceiling_mean AS (
    SELECT
        manifest_id,
        feature_set_id,
        question_set,
        method,
        avg(macro_f1 ORDER BY hypernym_id) AS macro_f1,
        sum(n_questions)::BIGINT AS n_questions
    FROM ceiling_score
    JOIN latest USING (ceiling_id)
    GROUP BY manifest_id, feature_set_id, question_set, method
),

beside AS (
    SELECT
        run_score.run_id,
        run_score.question_set,
        run_score.macro_f1 AS run_f1,
        run_score.blind_f1,
        lookup.macro_f1 AS lookup_f1,
        neighbours.macro_f1 AS neighbours_f1
    FROM run_score
    JOIN run USING (run_id)
    LEFT JOIN ceiling_mean AS lookup
        ON lookup.manifest_id = run.manifest_id
        AND lookup.feature_set_id = run.feature_set_id
        AND lookup.question_set = run_score.question_set
        AND lookup.n_questions = run_score.n_questions
        AND lookup.method = 'leaf-lookup'
    LEFT JOIN ceiling_mean AS neighbours
        ON neighbours.manifest_id = run.manifest_id
        AND neighbours.feature_set_id = run.feature_set_id
        AND neighbours.question_set = run_score.question_set
        AND neighbours.n_questions = run_score.n_questions
        AND neighbours.method = 'hypernym-neighbours'
    WHERE run_score.image_mode = 'real'
),

condition AS (
    SELECT
        run_condition.* EXCLUDE (run_id, shared_settings),
        question_set,
        avg(run_f1 ORDER BY run_id) AS macro_f1,
        avg(blind_f1 ORDER BY run_id) AS blind_f1,
        avg(lookup_f1 ORDER BY run_id) AS leaf_lookup_f1,
        avg(neighbours_f1 ORDER BY run_id) AS hypernym_neighbours_f1,
        avg(lookup_f1 - run_f1 ORDER BY run_id) AS lookup_gap,
        avg(run_f1 - blind_f1 ORDER BY run_id) FILTER (lookup_f1 IS NOT NULL)
            / nullif(avg(lookup_f1 - blind_f1 ORDER BY run_id), 0) AS above_blind,
        count(lookup_f1) AS n_lookup_runs,
        count(neighbours_f1) AS n_neighbours_runs,
        count(run_f1) AS n_runs
    FROM beside
    JOIN run_condition USING (run_id)
    GROUP BY ALL
)

SELECT * EXCLUDE (hidden_settings)
FROM condition
WHERE n_lookup_runs > 0 OR n_neighbours_runs > 0
ORDER BY ALL;
