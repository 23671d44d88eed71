-- Scores of a condition, hypernym by hypernym: the mean over its runs, own and released.
-- Grain: condition, question_set (leaf questions left out), hypernym. The unit of intervals and
-- correlations over hypernyms: runs of one condition answer the same questions, so that they
-- are averaged first and never count as independent values.
-- Units: macro_f1, blind_f1 (on the same runs) and balanced_accuracy in [0, 1], NULL where no run
-- has one. n_runs: runs in the mean.
CREATE OR REPLACE VIEW seed_mean AS
SELECT
    run_condition.* EXCLUDE (run_id),
    score.question_set,
    score.hypernym,
    avg(score.macro_f1 ORDER BY run_id) AS macro_f1,
    CASE WHEN count(score.blind_f1) = count(score.macro_f1) THEN
        avg(score.blind_f1 ORDER BY run_id)
    END AS blind_f1,
    avg(score.balanced_accuracy ORDER BY run_id) AS balanced_accuracy,
    count(score.macro_f1) AS n_runs
FROM score
JOIN run_condition USING (run_id)
WHERE score.hypernym IS NOT NULL
GROUP BY ALL;
