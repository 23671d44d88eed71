-- Macro-F1 of every run, hypernym by hypernym
-- S1's figure by category. Own and released runs alike.
-- Grain: one row per run, hypernym and question_set (held_out, seen, unasked; held_out_s1 and
--   seen_s1 as S1 drew its sets), real image.
-- Units: macro_f1, blind_f1 and balanced_accuracy in [0, 1], NULL where the true answers are of
--   one class only, but as published in held_out_s1 and seen_s1; n_yes and n_no count test
--   questions by true answer; tp, fp, fn, tn by true and given. macro_f1_s1: S1's mean F1 over
--   the labels that occur, also where the true answers are of one class. Released runs have no
--   counts by answer, and an accuracy for some only.
-- Empty: no finished run is in the store: `xmodal train` makes one, `xmodal store sync` brings
--   it in
-- Params: $run VARCHAR: a run id or its beginning; $question_set VARCHAR; all when left out.
WITH drawn AS (
    SELECT run.run_id, manifest.seed
    FROM run
    JOIN manifest USING (manifest_id)
    UNION ALL
    SELECT run_id, seed
    FROM released_run
)

SELECT
    score.run_id,
    run_condition.lm,
    run_condition.lm_init,
    run_condition.design,
    run_condition.ratio,
    run_condition.shuffle,
    drawn.seed,
    score.question_set,
    score.hypernym,
    score.macro_f1,
    score.blind_f1,
    score.balanced_accuracy,
    score.n_yes,
    score.n_no,
    score.tp,
    score.fp,
    score.fn,
    score.tn,
    run_condition.source,
    run_condition.encoder,
    score.macro_f1_s1,
    score.accuracy,
    score.n_questions
FROM score
JOIN run_condition USING (run_id)
JOIN drawn USING (run_id)
WHERE
    score.question_set <> 'leaf'
    AND ($run IS NULL OR starts_with(score.run_id, $run::VARCHAR))
    AND ($question_set IS NULL OR score.question_set = $question_set::VARCHAR)
ORDER BY score.run_id, score.question_set, score.hypernym;
