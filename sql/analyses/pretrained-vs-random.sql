-- What the LM's pretraining is worth: pretrained against other weights, condition by condition
-- S1's comparison with random LM weights (74.1 against 45.2 for Qwen3-0.6B without any hypernym
--   evidence). Own and released runs alike; S1 compares means over hypernyms and seeds.
-- Grain: one row per condition but for lm_init, question_set and other_init (random, or
--   scrambled: pretrained on a permuted taxonomy). Where a setting without a column differs,
--   such as the LM's revision, each pair of settings is a row.
-- Units: macro-F1 in [0, 1], mean over runs, then over the hypernyms that both have.
--   difference = pretrained_f1 - other_f1, paired by hypernym; low, high: its 95 % interval,
--   Student's t over hypernyms, NULL with one. n_better: hypernyms on which pretrained
--   is ahead, by more than 1e-12.
-- Empty: no two conditions differ in --lm-init alone
-- Params: $question_set VARCHAR: one question set; all when left out.
WITH hypernym_mean AS MATERIALIZED (
    SELECT *
    FROM seed_mean
    WHERE macro_f1 IS NOT NULL
),

paired AS (
    SELECT
        pretrained.source,
        pretrained.dataset,
        pretrained.relation,
        pretrained.lm,
        pretrained.encoder,
        pretrained.recipe,
        pretrained.prompt,
        pretrained.design,
        pretrained.unit,
        pretrained.ratio,
        pretrained.n_held_out_hypernyms,
        pretrained.mentions,
        pretrained.negatives,
        pretrained.shuffle,
        pretrained.question_set,
        other.lm_init AS other_init,
        pretrained.hidden_settings,
        other.hidden_settings AS other_settings,
        pretrained.hypernym,
        pretrained.macro_f1 AS pretrained_f1,
        other.macro_f1 AS other_f1,
        pretrained.n_runs AS n_pretrained_runs,
        other.n_runs AS n_other_runs
    FROM hypernym_mean AS pretrained
    JOIN hypernym_mean AS other
        ON pretrained.source = other.source
        AND pretrained.dataset = other.dataset
        AND pretrained.relation = other.relation
        AND pretrained.lm = other.lm
        AND pretrained.encoder = other.encoder
        AND pretrained.recipe = other.recipe
        AND pretrained.prompt = other.prompt
        AND pretrained.design = other.design
        AND pretrained.unit = other.unit
        AND pretrained.ratio = other.ratio
        AND pretrained.mentions = other.mentions
        AND pretrained.negatives = other.negatives
        AND pretrained.shuffle = other.shuffle
        AND pretrained.shared_settings = other.shared_settings
        AND pretrained.question_set = other.question_set
        AND pretrained.hypernym = other.hypernym
        AND pretrained.n_held_out_hypernyms IS NOT DISTINCT FROM other.n_held_out_hypernyms
    WHERE
        pretrained.lm_init = 'pretrained'
        AND other.lm_init <> 'pretrained'
        AND ($question_set IS NULL OR pretrained.question_set = $question_set::VARCHAR)
),

compared AS (
    SELECT
        * EXCLUDE (hypernym, pretrained_f1, other_f1, n_pretrained_runs, n_other_runs),
        avg(pretrained_f1 ORDER BY hypernym) AS pretrained_f1,
        avg(other_f1 ORDER BY hypernym) AS other_f1,
        avg(pretrained_f1 - other_f1 ORDER BY hypernym) AS difference,
        stddev_samp(pretrained_f1 - other_f1 ORDER BY hypernym) AS sd,
        count(*) AS n_hypernyms,
        count(*) FILTER (pretrained_f1 > other_f1 + 1e-12) AS n_better,
        max(n_pretrained_runs) AS n_pretrained_runs,
        max(n_other_runs) AS n_other_runs
    FROM paired
    GROUP BY ALL
)

SELECT
    * EXCLUDE (
        hidden_settings, other_settings, sd, n_hypernyms, n_better, n_pretrained_runs, n_other_runs
    ),
    difference - t_975(n_hypernyms - 1) * sd / sqrt(n_hypernyms) AS low,
    difference + t_975(n_hypernyms - 1) * sd / sqrt(n_hypernyms) AS high,
    n_hypernyms,
    n_better,
    n_pretrained_runs,
    n_other_runs
FROM compared
ORDER BY ALL;
