-- Macro-F1 by condition and hypernym with its runs, beside coherence, text probe and depth
-- What the figures categories, coherence, depth and agreement draw. Own and released runs alike.
-- Grain: one row per condition, question_set (held_out, seen, unasked; held_out_s1 and seen_s1 as
--   S1 drew its sets) and hypernym with a score, over the runs of $runs only where it is given.
-- Units: macro_f1 and blind_f1 in [0, 1], mean over runs, as in @ablation before hypernyms are
--   averaged. run_ids, and run_f1s in their order. coherence (mean cosine of training pictures),
--   probe_f1 (macro-F1 of the same LM asked in text, mean over Yes-No phrasings) and depth (steps
--   from WordNet's root) as in the view score_beside, mean over runs; NULL where not measured.
--   n_questions: test questions of a run, on average.
-- hidden_settings: as in the view run_condition.
-- Empty: the store holds no finished run and no released one: `xmodal train` makes a run,
--   `xmodal import s1 PATH` reads the paper's
-- Params: $runs VARCHAR: run ids, whole, with commas between; all runs when left out.
WITH point AS (
    SELECT
        beside.* EXCLUDE (
            run_id, shared_settings, seed, question_set, hypernym, macro_f1,
            macro_f1_s1, balanced_accuracy, n_questions, coherence, probe_f1, depth
        ),
        beside.question_set,
        beside.hypernym,
        avg(beside.macro_f1 ORDER BY run_id) AS macro_f1,
        CASE WHEN count(score.blind_f1) = count(*) THEN
            avg(score.blind_f1 ORDER BY run_id)
        END AS blind_f1,
        avg(beside.coherence ORDER BY run_id) AS coherence,
        avg(beside.probe_f1 ORDER BY run_id) AS probe_f1,
        any_value(beside.depth) AS depth,
        avg(beside.n_questions ORDER BY run_id) AS n_questions,
        count(*) AS n_runs,
        list(run_id ORDER BY run_id) AS run_ids,
        list(beside.macro_f1 ORDER BY run_id) AS run_f1s
    FROM score_beside AS beside
    JOIN score USING (run_id, question_set, hypernym)
    WHERE
        beside.macro_f1 IS NOT NULL
        AND ($runs IS NULL OR list_contains(string_split($runs::VARCHAR, ','), run_id))
    GROUP BY ALL
)

SELECT *
FROM point
ORDER BY ALL;
