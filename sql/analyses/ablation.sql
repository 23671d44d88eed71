-- Macro-F1 by condition with a 95 % interval over hypernyms
-- S1's main figure: F1 by ablation. S1 takes 53 hypernyms x 3 seeds for 159 independent values;
--   runs of a condition answer the same questions about the same hypernyms, so here the runs of
--   a hypernym are averaged first and the hypernyms are the units. It is not yet the whole
--   uncertainty: hypernyms share leaves and pictures, which needs leaves to be drawn again.
-- Grain: one row per condition and question_set (held_out, seen, unasked, held_out_s1, seen_s1).
-- Units: macro_f1 and blind_f1 in [0, 1], mean over runs, then over hypernyms (@main-results: the
--   other way round, which differs where runs leave out different hypernyms). low, high: mean -
--   and + t sd / sqrt(n_hypernyms), Student's t with n_hypernyms - 1 degrees of freedom; NULL
--   with one hypernym; not cut at 0 and 1. sd: standard deviation between hypernyms. n_runs: the
--   most runs of a hypernym.
-- Empty: the store holds no finished run and no released one: `xmodal train` makes a run,
--   `xmodal import s1 PATH` reads the paper's
-- Params: $question_set VARCHAR: one question set; all when left out.
WITH condition AS (
    SELECT
        * EXCLUDE (shared_settings, hypernym, macro_f1, blind_f1, balanced_accuracy, n_runs),
        avg(macro_f1 ORDER BY hypernym) AS macro_f1,
        stddev_samp(macro_f1 ORDER BY hypernym) AS sd,
        CASE WHEN count(blind_f1) = count(*) THEN avg(blind_f1 ORDER BY hypernym) END AS blind_f1,
        count(*) AS n_hypernyms,
        max(n_runs) AS n_runs
    FROM seed_mean
    WHERE
        macro_f1 IS NOT NULL
        AND ($question_set IS NULL OR question_set = $question_set::VARCHAR)
    GROUP BY ALL
)

SELECT
    * EXCLUDE (hidden_settings, macro_f1, sd, blind_f1, n_hypernyms, n_runs),
    macro_f1,
    macro_f1 - t_975(n_hypernyms - 1) * sd / sqrt(n_hypernyms) AS low,
    macro_f1 + t_975(n_hypernyms - 1) * sd / sqrt(n_hypernyms) AS high,
    sd,
    blind_f1,
    n_hypernyms,
    n_runs
FROM condition
ORDER BY ALL;
