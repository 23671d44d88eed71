-- Does a scrambled LM answer by the taxonomy it was taught, or by the true one?
-- Grain: one row per run with lm_init scrambled. Held-out hypernym test questions, real image,
--   where the LM was taught another answer for this leaf and hypernym than the true one.
-- Units: shares in [0, 1] of answers that follow the taught taxonomy; above 0.5 it goes by
--   its own. taught_mean: mean of the two directions, NULL unless both have questions.
-- Empty: no run has an LM that was taught a scrambled taxonomy: `xmodal train --lm-init
--   scrambled`
-- Params: none
WITH asked AS (
    SELECT
        run.run_id,
        run.lm,
        run.seed_init,
        manifest.seed,
        lm_pair.answer AS taught,
        answered.predicted = lm_pair.answer AS follows_taught
    FROM run
    JOIN manifest USING (manifest_id)
    JOIN answered USING (run_id)
    JOIN example USING (manifest_id, example_id)
    JOIN concept AS leaf
        ON leaf.dataset_id = run.dataset_id AND leaf.concept_id = example.label_leaf_id
    JOIN concept AS hypernym
        ON hypernym.dataset_id = run.dataset_id AND hypernym.concept_id = example.asked_id
    JOIN lm_pair
        ON lm_pair.lm_hash = run.lm_hash
        AND lm_pair.leaf = leaf.name
        AND lm_pair.hypernym = hypernym.name
    WHERE
        run.lm_init = 'scrambled'
        AND answered.image_mode = 'real'
        AND example.split = 'test'
        AND example.question_set = 'held_out'
        AND lm_pair.answer <> example.answer
),

counted AS (
    SELECT
        run_id,
        lm,
        seed_init,
        seed,
        count(*) FILTER (taught) AS n_taught_yes,
        count(*) FILTER (NOT taught) AS n_taught_no,
        count(*) FILTER (taught AND follows_taught) / nullif(n_taught_yes, 0) AS taught_yes,
        count(*) FILTER (NOT taught AND follows_taught) / nullif(n_taught_no, 0) AS taught_no
    FROM asked
    GROUP BY run_id, lm, seed_init, seed
)

SELECT *, (taught_yes + taught_no) / 2 AS taught_mean
FROM counted
ORDER BY run_id;
