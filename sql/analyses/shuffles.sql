-- What shuffled labels do: within, across and swap beside the true labels
-- S1's counterfactuals: Qwen3-0.6B without any hypernym evidence 74.1, within categories 73.7,
--   across categories 46.4. Own and released runs alike.
-- Grain: one row per condition with its shuffle, and question_set; true labels (none) too.
-- Units: macro_f1, blind_f1 in [0, 1], mean over runs, then over all hypernyms of the row's own
--   condition. reference: the shuffle it is held against: none, or swap_control for swap (both
--   leave out the same leaves). reference_f1, difference = macro_f1 - reference_f1 and its 95 %
--   interval low, high (Student's t over hypernyms, NULL with one): over the n_paired hypernyms
--   that both have, so that difference need not be macro_f1 less reference_f1 of other rows.
--   NULL where there is no run with the reference, and for the reference itself.
-- Empty: the store holds no finished run and no released one: `xmodal train` makes a run,
--   `xmodal import s1 PATH` reads the paper's
-- Params: $question_set VARCHAR: one question set; all when left out.
WITH hypernym_mean AS MATERIALIZED (
    SELECT
        *,
        CASE shuffle WHEN 'swap' THEN 'swap_control' ELSE 'none' END AS reference
    FROM seed_mean
    WHERE
        macro_f1 IS NOT NULL
        AND ($question_set IS NULL OR question_set = $question_set::VARCHAR)
),

paired AS (
    SELECT
        shuffled.* EXCLUDE (balanced_accuracy),
        plain.macro_f1 AS plain_f1,
        shuffled.macro_f1 - plain.macro_f1 AS change
    FROM hypernym_mean AS shuffled
    LEFT JOIN hypernym_mean AS plain
        ON plain.shuffle = shuffled.reference
        AND plain.shuffle <> shuffled.shuffle
        AND plain.hidden_settings = shuffled.hidden_settings
        AND plain.source = shuffled.source
        AND plain.dataset = shuffled.dataset
        AND plain.relation = shuffled.relation
        AND plain.lm = shuffled.lm
        AND plain.lm_init = shuffled.lm_init
        AND plain.encoder = shuffled.encoder
        AND plain.recipe = shuffled.recipe
        AND plain.prompt = shuffled.prompt
        AND plain.design = shuffled.design
        AND plain.unit = shuffled.unit
        AND plain.ratio = shuffled.ratio
        AND plain.mentions = shuffled.mentions
        AND plain.negatives = shuffled.negatives
        AND plain.question_set = shuffled.question_set
        AND plain.hypernym = shuffled.hypernym
        AND plain.n_held_out_hypernyms IS NOT DISTINCT FROM shuffled.n_held_out_hypernyms
),

compared AS (
    SELECT
        * EXCLUDE (shared_settings, hypernym, macro_f1, blind_f1, n_runs, plain_f1, change),
        avg(macro_f1 ORDER BY hypernym) AS macro_f1,
        CASE WHEN count(blind_f1) = count(*) THEN avg(blind_f1 ORDER BY hypernym) END AS blind_f1,
        count(*) AS n_hypernyms,
        max(n_runs) AS n_runs,
        avg(plain_f1 ORDER BY hypernym) AS reference_f1,
        avg(change ORDER BY hypernym) AS difference,
        stddev_samp(change ORDER BY hypernym) AS sd,
        count(change) AS n_paired
    FROM paired
    GROUP BY ALL
)

SELECT
    * EXCLUDE (hidden_settings, shuffle, question_set, reference, macro_f1, blind_f1, n_hypernyms,
        n_runs, reference_f1, difference, sd, n_paired),
    question_set,
    shuffle,
    macro_f1,
    blind_f1,
    n_hypernyms,
    n_runs,
    reference,
    reference_f1,
    difference,
    difference - t_975(n_paired - 1) * sd / sqrt(n_paired) AS low,
    difference + t_975(n_paired - 1) * sd / sqrt(n_paired) AS high,
    n_paired
FROM compared
ORDER BY ALL;
