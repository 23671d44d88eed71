-- Every finished run with its design, seeds, macro-F1 and time
-- Grain: one row per run, oldest first. Units: macro-F1 in [0, 1], real image, test questions,
--   mean over hypernyms (leaf_f1: all leaf questions in one group); NULL where none was asked.
-- Empty: no finished run is in the store: `xmodal train` makes one, `xmodal store sync` brings
--   it in
-- Params: none
WITH score AS (
    SELECT
        run_id,
        max(macro_f1) FILTER (question_set = 'held_out') AS held_out_f1,
        max(blind_f1) FILTER (question_set = 'held_out') AS blind_f1,
        max(macro_f1) FILTER (question_set = 'seen') AS seen_f1,
        max(macro_f1) FILTER (question_set = 'leaf') AS leaf_f1
    FROM run_score
    WHERE image_mode = 'real'
    GROUP BY run_id
)

SELECT
    run.run_id,
    run.status,
    run.lm,
    run.lm_init,
    manifest.design,
    manifest.ratio,
    manifest.shuffle,
    manifest.seed,
    run.seed_init,
    run.seed_order,
    score.held_out_f1,
    score.blind_f1,
    score.seen_f1,
    score.leaf_f1,
    run.seconds
FROM run
JOIN manifest USING (manifest_id)
LEFT JOIN score USING (run_id)
ORDER BY run.started_at, run.run_id;
