-- Macro-F1 of every run, hypernym by hypernym
-- Grain: one row per run, hypernym and question_set (held_out, seen, unasked), real image.
-- Units: macro_f1, blind_f1 and balanced_accuracy in [0, 1], NULL where the true answers are of
--   one class only; n_yes and n_no count test questions by true answer; tp, fp, fn, tn by true and given.
-- Params: $run VARCHAR: a run id or its beginning; $question_set VARCHAR; all when left out.
SELECT
    hypernym_score.run_id,
    run.lm,
    run.lm_init,
    manifest.design,
    manifest.ratio,
    manifest.shuffle,
    manifest.seed,
    hypernym_score.question_set,
    hypernym_score.hypernym,
    hypernym_score.macro_f1,
    hypernym_score.blind_f1,
    hypernym_score.balanced_accuracy,
    hypernym_score.n_yes,
    hypernym_score.n_no,
    hypernym_score.tp,
    hypernym_score.fp,
    hypernym_score.fn,
    hypernym_score.tn
FROM hypernym_score
JOIN run USING (run_id)
JOIN manifest USING (manifest_id)
WHERE
    hypernym_score.image_mode = 'real'
    AND hypernym_score.question_set <> 'leaf'
    AND ($run IS NULL OR starts_with(hypernym_score.run_id, $run::VARCHAR))
    AND ($question_set IS NULL OR hypernym_score.question_set = $question_set::VARCHAR)
ORDER BY hypernym_score.run_id, hypernym_score.question_set, hypernym_score.hypernym;
