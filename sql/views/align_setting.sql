-- The settings of each condition of alignments, one row a condition.
-- Grain: condition. Columns as in align_condition; n_runs: runs that differ by seeds only.
CREATE OR REPLACE VIEW align_setting AS
SELECT
    * EXCLUDE (evaluation_id, run_id),
    count(DISTINCT run_id) AS n_runs
FROM align_condition
GROUP BY ALL;
