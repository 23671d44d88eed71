-- What an LM answers in text beside what it answers about pictures.
-- Grain: condition, question_set (held_out; held_out_s1 of released runs), probe (task, phrasing,
-- template, chat, probe_seed, n_probe_pairs and forms_json, which tells other lists of pairs and
-- ways to score apart; all NULL for released ones), hypernym.
-- Units: shares in [0, 1] of test questions, real image, each held against the probe's answer to
-- its pair (label leaf, hypernym): vlm_accuracy, probe_accuracy; agreement: both right or both
-- wrong; both_right; either_right: at least one. Per run, then the mean over runs. Only pairs that
-- the probe asked count: n_questions of a run on average. All NULL for released runs, whose
-- answers were not released, and where no pair was asked by both. vlm_f1, probe_f1: macro-F1 over
-- all the hypernym's questions, and over all its pairs in the probe.
CREATE OR REPLACE VIEW vlm_probe AS
WITH pair AS (
    SELECT
        answered.run_id,
        example.question_set,
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

beside AS (
    SELECT
        asked.run_id,
        asked.probe_id,
        pair.question_set,
        pair.hypernym_id,
        sum(n)::BIGINT AS n_questions,
        sum(n_right) / n_questions AS vlm_accuracy,
        sum(n * (said.predicted = said.answer)::INTEGER) / n_questions AS probe_accuracy,
        sum(CASE WHEN said.predicted = said.answer THEN n_right ELSE n - n_right END)
            / n_questions AS agreement,
        sum(n_right * (said.predicted = said.answer)::INTEGER) / n_questions AS both_right
    FROM asked
    JOIN pair USING (run_id)
    JOIN text_probe_answer AS said
        ON said.probe_id = asked.probe_id
        AND said.leaf_id = pair.leaf_id
        AND said.hypernym_id = pair.hypernym_id
        AND said.answer = pair.answer
    GROUP BY ALL
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
        avg(agreement ORDER BY run_id) AS agreement,
        avg(both_right ORDER BY run_id) AS both_right,
        avg(vlm_accuracy + probe_accuracy - both_right ORDER BY run_id) AS either_right,
        avg(beside.n_questions ORDER BY run_id) AS n_questions,
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
