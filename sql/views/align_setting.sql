-- The settings of each condition of alignments, one row a condition.
-- Grain: condition. Columns as in align_condition; run_ids: its runs, which differ by seeds only.
CREATE OR REPLACE VIEW align_setting AS
SELECT
    * EXCLUDE (evaluation_id, run_id),
    list_sort(list(DISTINCT run_id)) AS run_ids
FROM align_condition
GROUP BY ALL;
