-- Macro-F1 by condition with its runs, what was really held out, and the interval there is
-- What the figures ablation and shuffles draw. Own and released runs alike.
-- Grain: one row per condition and question_set (held_out, seen, unasked, leaf; held_out_s1 and
--   seen_s1 as S1 drew its sets), over the runs of $runs only where it is given.
-- Units: macro_f1 and blind_f1 in [0, 1], real image: mean over hypernyms, then over runs, as in
--   @main-results. run_ids, and run_f1s in their order (those with a score). ratio_test: share of
--   the hypernym test questions that is held out, as in @realised-ratio, mean over runs (NULL
--   where the count of some question is not released). low, high, confidence: of the latest level
--   in @stats by bootstrap that is of these runs, this question set and the real image, and whose
--   estimate is this macro_f1; NULL where there is none. hypernyms: fixed, or random where they
--   were drawn again too. stat_id: which it is. n_questions: test
--   questions of a run in the set, on average.
-- hidden_settings: as in the view run_condition.
-- Empty: the store holds no finished run and no released one: `xmodal train` makes a run,
--   `xmodal import s1 PATH` reads the paper's
-- Params: $runs VARCHAR: run ids, whole, with commas between; all runs when left out.
WITH chosen AS (
    SELECT *
    FROM run_condition
    WHERE $runs IS NULL OR list_contains(string_split($runs::VARCHAR, ','), run_id)
),

held_out AS (
    SELECT
        run_id,
        CASE WHEN count(n_questions) = count(*) THEN
            coalesce(sum(n_questions) FILTER (question_set IN ('held_out', 'held_out_s1')), 0)
            / nullif(sum(n_questions), 0)
        END AS ratio_test
    FROM score_mean
    JOIN chosen USING (run_id)
    -- held_out of released runs is part of their held_out_s1
    WHERE question_set <> 'leaf' AND NOT (source <> 'own' AND question_set = 'held_out')
    GROUP BY run_id
),

point AS (
    SELECT
        chosen.* EXCLUDE (run_id, shared_settings),
        score_mean.question_set,
        avg(score_mean.macro_f1 ORDER BY run_id) AS macro_f1,
        CASE WHEN count(score_mean.blind_f1) = count(score_mean.macro_f1) THEN
            avg(score_mean.blind_f1 ORDER BY run_id)
        END AS blind_f1,
        CASE WHEN count(held_out.ratio_test) = count(*) THEN
            avg(held_out.ratio_test ORDER BY run_id)
        END AS ratio_test,
        len(list_distinct(flatten(list(coalesce(score_mean.group_ids, []))))) AS n_hypernyms,
        avg(score_mean.n_questions ORDER BY run_id) AS n_questions,
        count(*) AS n_runs,
        list(run_id ORDER BY run_id) AS run_ids,
        list(score_mean.macro_f1 ORDER BY run_id) AS run_f1s
    FROM score_mean
    JOIN chosen USING (run_id)
    LEFT JOIN held_out USING (run_id)
    WHERE score_mean.macro_f1 IS NOT NULL
    GROUP BY ALL
),

level AS (
    SELECT
        *,
        list_sort((runs_json::JSON -> '$.a')::VARCHAR[]) AS stat_run_ids,
        sides_json::JSON ->> '$.a.question_set' AS stat_set,
        settings_json::JSON ->> '$.hypernyms' AS hypernyms
    FROM stat
    WHERE
        kind = 'level'
        AND method = 'bootstrap'
        AND metric = 'macro_f1'
        AND coalesce(sides_json::JSON ->> '$.a.image_mode', 'real') = 'real'
)

SELECT
    point.*
    REPLACE (CASE WHEN point.question_set <> 'leaf' THEN point.n_hypernyms END AS n_hypernyms),
    level.low,
    level.high,
    level.confidence,
    level.hypernyms,
    level.stat_id
FROM point
LEFT JOIN level
    ON level.stat_run_ids = list_sort(point.run_ids)
    -- where a side names no set it is the held-out one of conditions that hold something out
    AND coalesce(level.stat_set, CASE WHEN point.ratio > 0 THEN 'held_out' ELSE 'seen' END)
        = point.question_set
    -- compared on common questions only, a level is of other questions than these
    AND abs(level.estimate - point.macro_f1) < 1e-9
QUALIFY row_number() OVER (
    PARTITION BY point.run_ids, point.question_set
    ORDER BY level.created_at DESC, level.stat_id DESC
) = 1
ORDER BY ALL;
