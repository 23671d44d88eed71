-- One image encoder against another, condition by condition
-- S1's comparison of DINOv2 and SigLIP. S1 reads p = .45 as no difference; a difference that is
--   not significant is not yet none: look at low and high.
-- Grain: one row per condition but for the encoder, question_set and pair of encoders, by name.
--   Where a setting without a column differs, such as the layer, each pair of settings is a row.
-- Units: macro-F1 in [0, 1], mean over runs, then over the hypernyms that both have.
--   difference = f1_b - f1_a, paired by hypernym; low, high: its 95 % interval, Student's t over
--   hypernyms, NULL with one.
-- Empty: no two conditions differ in their image encoder alone
-- Params: $question_set VARCHAR: one question set; all when left out.
WITH hypernym_mean AS MATERIALIZED (
    SELECT *
    FROM seed_mean
    WHERE macro_f1 IS NOT NULL
),

paired AS (
    SELECT
        a.source,
        a.dataset,
        a.relation,
        a.lm,
        a.lm_init,
        a.recipe,
        a.prompt,
        a.design,
        a.unit,
        a.ratio,
        a.n_held_out_hypernyms,
        a.mentions,
        a.negatives,
        a.shuffle,
        a.question_set,
        a.encoder AS encoder_a,
        b.encoder AS encoder_b,
        a.hidden_settings,
        b.hidden_settings AS other_settings,
        a.hypernym,
        a.macro_f1 AS f1_a,
        b.macro_f1 AS f1_b,
        a.n_runs AS n_runs_a,
        b.n_runs AS n_runs_b
    FROM hypernym_mean AS a
    JOIN hypernym_mean AS b
        ON a.source = b.source
        AND a.dataset = b.dataset
        AND a.relation = b.relation
        AND a.lm = b.lm
        AND a.lm_init = b.lm_init
        AND a.recipe = b.recipe
        AND a.prompt = b.prompt
        AND a.design = b.design
        AND a.unit = b.unit
        AND a.ratio = b.ratio
        AND a.mentions = b.mentions
        AND a.negatives = b.negatives
        AND a.shuffle = b.shuffle
        AND a.shared_settings = b.shared_settings
        AND a.question_set = b.question_set
        AND a.hypernym = b.hypernym
        AND a.n_held_out_hypernyms IS NOT DISTINCT FROM b.n_held_out_hypernyms
    WHERE
        a.encoder < b.encoder
        AND ($question_set IS NULL OR a.question_set = $question_set::VARCHAR)
),

compared AS (
    SELECT
        * EXCLUDE (hypernym, f1_a, f1_b, n_runs_a, n_runs_b),
        avg(f1_a ORDER BY hypernym) AS f1_a,
        avg(f1_b ORDER BY hypernym) AS f1_b,
        avg(f1_b - f1_a ORDER BY hypernym) AS difference,
        stddev_samp(f1_b - f1_a ORDER BY hypernym) AS sd,
        count(*) AS n_hypernyms,
        max(n_runs_a) AS n_runs_a,
        max(n_runs_b) AS n_runs_b
    FROM paired
    GROUP BY ALL
)

SELECT
    * EXCLUDE (hidden_settings, other_settings, sd, n_hypernyms, n_runs_a, n_runs_b),
    difference - t_975(n_hypernyms - 1) * sd / sqrt(n_hypernyms) AS low,
    difference + t_975(n_hypernyms - 1) * sd / sqrt(n_hypernyms) AS high,
    n_hypernyms,
    n_runs_a,
    n_runs_b
FROM compared
ORDER BY ALL;
