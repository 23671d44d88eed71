-- What an LM answers in text beside what it answers about pictures.
-- Grain: condition, question_set (held_out; held_out_s1 of released runs), probe (task, phrasing,
-- template, chat, probe_seed, n_probe_pairs and forms_json, which tells other lists of pairs and
-- ways to score apart; all NULL for released ones), hypernym.
-- Units: over held-out test questions, real image, each held against the probe's answer to its
-- pair (label leaf, hypernym): n_yes and n_no by true answer, n_not_asked of a pair that the probe
-- did not ask, all of a run on average. Shares in [0, 1] of the n_yes + n_no: vlm_accuracy,
-- probe_accuracy; agreement: both right or both wrong; both_right; either_right: at least one.
-- vlm_balanced, probe_balanced: mean of the accuracies over Yes and over No, NULL without either.
-- Per run, then the mean over runs. All NULL for released runs, whose answers were not released;
-- shares are NULL where nothing is compared. vlm_f1, probe_f1: macro-F1 over all the hypernym's
-- questions, and over its drawn pairs in the probe.
CREATE OR REPLACE VIEW vlm_probe AS
WITH pair AS (
    SELECT
        answered.run_id,
        example.label_leaf_id AS leaf_id,
        example.asked_id AS hypernym_id,
        example.answer,
        count(*) AS n,
        count(*) FILTER (answered.predicted = example.answer) AS n_right
    FROM answered
    JOIN run USING (run_id)
    JOIN example USING (manifest_id, example_id)
    WHERE
        answered.image_mode = 'real'
        AND example.split = 'test'
        AND example.question_set = 'held_out'
        AND run.lm_hash IN (SELECT lm_hash FROM text_probe)
    GROUP BY ALL
),

asked AS (
    SELECT
        run.run_id,
        text_probe.* EXCLUDE (
            dataset_id, relation, lm, lm_revision, lm_hash, lm_init, versions_json, created_at
        )
    FROM run
    JOIN manifest USING (manifest_id)
    JOIN text_probe
        ON text_probe.dataset_id = run.dataset_id
        AND text_probe.relation = manifest.relation
        AND text_probe.lm_hash = run.lm_hash
),

compared AS (
    SELECT
        asked.run_id,
        asked.probe_id,
        pair.hypernym_id,
        pair.answer,
        pair.n,
        pair.n_right,
        -- NULL: the probe did not ask it
        said.predicted = said.answer AS probe_right
    FROM asked
    JOIN pair USING (run_id)
    LEFT JOIN text_probe_answer AS said
        ON said.probe_id = asked.probe_id
        AND said.leaf_id = pair.leaf_id
        AND said.hypernym_id = pair.hypernym_id
        AND said.answer = pair.answer
),

by_answer AS (
    SELECT
        run_id,
        probe_id,
        hypernym_id,
        coalesce(sum(n) FILTER (probe_right IS NULL), 0)::BIGINT AS n_not_asked,
        coalesce(sum(n) FILTER (probe_right IS NOT NULL AND answer), 0)::BIGINT AS n_yes,
        coalesce(sum(n) FILTER (probe_right IS NOT NULL AND NOT answer), 0)::BIGINT AS n_no,
        sum(n_right) FILTER (probe_right IS NOT NULL AND answer) AS vlm_yes,
        sum(n_right) FILTER (probe_right IS NOT NULL AND NOT answer) AS vlm_no,
        sum(n * probe_right::INTEGER) FILTER (answer) AS probe_yes,
        sum(n * probe_right::INTEGER) FILTER (NOT answer) AS probe_no,
        sum(n_right * probe_right::INTEGER) AS n_both_right,
        sum((n - n_right) * (NOT probe_right)::INTEGER) AS n_both_wrong
    FROM compared
    GROUP BY ALL
),

beside AS (
    SELECT
        *,
        nullif(n_yes + n_no, 0) AS n_compared,
        (coalesce(vlm_yes, 0) + coalesce(vlm_no, 0)) / n_compared AS vlm_accuracy,
        (coalesce(probe_yes, 0) + coalesce(probe_no, 0)) / n_compared AS probe_accuracy,
        (vlm_yes / nullif(n_yes, 0) + vlm_no / nullif(n_no, 0)) / 2 AS vlm_balanced,
        (probe_yes / nullif(n_yes, 0) + probe_no / nullif(n_no, 0)) / 2 AS probe_balanced,
        (n_both_right + n_both_wrong) / n_compared AS agreement,
        n_both_right / n_compared AS both_right
    FROM by_answer
),

own AS (
    SELECT
        run_condition.* EXCLUDE (run_id, shared_settings),
        score.question_set,
        asked.task,
        asked.phrasing,
        asked.template,
        asked.chat,
        asked.seed AS probe_seed,
        asked.n_pairs AS n_probe_pairs,
        asked.forms_json,
        probe_score.hypernym,
        avg(vlm_accuracy ORDER BY run_id) AS vlm_accuracy,
        avg(probe_accuracy ORDER BY run_id) AS probe_accuracy,
        avg(vlm_balanced ORDER BY run_id) AS vlm_balanced,
        avg(probe_balanced ORDER BY run_id) AS probe_balanced,
        avg(agreement ORDER BY run_id) AS agreement,
        avg(both_right ORDER BY run_id) AS both_right,
        avg(vlm_accuracy + probe_accuracy - both_right ORDER BY run_id) AS either_right,
        avg(beside.n_yes ORDER BY run_id) AS n_yes,
        avg(beside.n_no ORDER BY run_id) AS n_no,
        avg(beside.n_not_asked ORDER BY run_id) AS n_not_asked,
        avg(score.macro_f1 ORDER BY run_id) AS vlm_f1,
        avg(probe_score.macro_f1 ORDER BY run_id) AS probe_f1
    FROM asked
    JOIN run_condition USING (run_id)
    JOIN probe_score USING (probe_id)
    JOIN score
        ON score.run_id = asked.run_id
        AND score.hypernym = probe_score.hypernym
        AND score.question_set = 'held_out'
    LEFT JOIN beside
        ON beside.run_id = asked.run_id
        AND beside.probe_id = asked.probe_id
        AND beside.hypernym_id = probe_score.hypernym_id
    GROUP BY ALL
)

SELECT *
FROM own
UNION ALL BY NAME
SELECT
    seed_mean.* EXCLUDE (
        shared_settings, macro_f1, blind_f1, balanced_accuracy, n_runs
    ),
    seed_mean.macro_f1 AS vlm_f1,
    released_probe.macro_f1 AS probe_f1
FROM seed_mean
JOIN released_probe USING (source, dataset, lm, hypernym)
WHERE
    seed_mean.question_set IN ('held_out', 'held_out_s1')
    AND seed_mean.relation = 'hypernym'
    AND seed_mean.lm_init = 'pretrained';
