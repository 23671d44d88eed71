-- Of which hypernyms' pictures a run says Yes to which hypernym
-- Grain: one row per condition, question_set (held_out, seen, unasked), true hypernym of the
--   picture and asked hypernym, over the runs of $runs only where it is given. A picture has the
--   hypernyms of its label leaf: under a shuffle those of the label. One of several hypernyms
--   counts under each of them; one of a leaf without any is in no row.
-- Units: yes_rate in [0, 1]: share of the test questions, real image, that are answered Yes, mean
--   over runs; where true and asked are the same it is the share of right Yes. answer_rate: the
--   share whose true answer is Yes. n_questions: of a run, on average.
-- hidden_settings: as in the view run_condition.
-- Empty: no finished run is in the store: `xmodal train` makes one, `xmodal store sync` brings
--   it in
-- Params: $runs VARCHAR: run ids, whole, with commas between; all runs when left out.
WITH told AS (
    SELECT
        run_id,
        manifest.dataset_id,
        manifest.relation,
        example.question_set,
        example.label_leaf_id,
        example.asked_id,
        count(*) AS n,
        count(*) FILTER (answered.predicted) AS n_said,
        count(*) FILTER (example.answer) AS n_true
    FROM answered
    JOIN run USING (run_id)
    JOIN manifest USING (manifest_id)
    JOIN example USING (manifest_id, example_id)
    WHERE
        answered.image_mode = 'real'
        AND example.split = 'test'
        AND example.kind = 'hypernym'
        AND ($runs IS NULL OR list_contains(string_split($runs::VARCHAR, ','), run_id))
    GROUP BY ALL
),

by_run AS (
    SELECT
        told.run_id,
        told.question_set,
        shown.name AS true_hypernym,
        asked.name AS asked_hypernym,
        sum(told.n) AS n,
        sum(told.n_said) / sum(told.n) AS yes_rate,
        sum(told.n_true) / sum(told.n) AS answer_rate
    FROM told
    JOIN leaf_hypernym AS pair
        ON pair.dataset_id = told.dataset_id
        AND pair.leaf_id = told.label_leaf_id
        AND pair.relation = told.relation
        AND pair.used
    JOIN concept AS shown
        ON shown.dataset_id = told.dataset_id AND shown.concept_id = pair.hypernym_id
    JOIN concept AS asked
        ON asked.dataset_id = told.dataset_id AND asked.concept_id = told.asked_id
    GROUP BY ALL
),

condition AS (
    SELECT
        run_condition.* EXCLUDE (run_id, shared_settings),
        by_run.question_set,
        by_run.true_hypernym,
        by_run.asked_hypernym,
        avg(by_run.yes_rate ORDER BY run_id) AS yes_rate,
        avg(by_run.answer_rate ORDER BY run_id) AS answer_rate,
        avg(by_run.n ORDER BY run_id) AS n_questions,
        count(*) AS n_runs,
        list(run_id ORDER BY run_id) AS run_ids
    FROM by_run
    JOIN run_condition USING (run_id)
    GROUP BY ALL
)

SELECT *
FROM condition
ORDER BY ALL;
