-- Decoder LMs against encoder LMs of like size, all else equal
-- S2 has decoders ahead by 2.7 points. Its code takes the last token of encoders too, which is a
--   separator: pooling s2 of an encoder is that, mean is sound.
-- Grain: one row per pair of conditions, of an encoder LM and of a decoder LM, that are equal in
--   everything but the LM and its pooling: layer, templates, pairs of training and all the rest.
--   Where a setting without a column differs, each pair of settings is a row.
-- Units: top1_encoder, top1_decoder: share of pictures whose class stands first, mean over
--   runs, then over the classes that both have. difference = top1_decoder - top1_encoder, paired by
--   class; low, high: its 95 % interval, Student's t over classes, NULL with one. chance = 1 /
--   candidates.
--   ratio: parameters of the larger LM by those of the smaller one, without heads.
-- Empty: no two conditions differ in the LM alone, one an encoder and one a decoder of like size
-- Params: $ratio DOUBLE: largest ratio of sizes; 1.5 when left out. $task VARCHAR: zero-shot when
--   left out; seen, generalised. $level VARCHAR: one level; all when left out.
WITH setting AS MATERIALIZED (
    SELECT *
    FROM align_setting
    WHERE $level IS NULL OR level = $level::VARCHAR
),

class_mean AS MATERIALIZED (
    SELECT *
    FROM align_seed_mean
    WHERE task = coalesce($task::VARCHAR, 'zero-shot')
),

pair AS (
    SELECT
        a.trained_on,
        a.separation_id,
        a.level,
        a.arm,
        a.lm_init,
        a.encoder,
        a.recipe,
        a.n_pairs,
        a.asked_on,
        a.names,
        a.class_list,
        a.split,
        a.lm AS encoder_lm,
        b.lm AS decoder_lm,
        a.lm_pooling AS encoder_pooling,
        b.lm_pooling AS decoder_pooling,
        greatest(a.n_lm_parameters, b.n_lm_parameters)
            / least(a.n_lm_parameters, b.n_lm_parameters) AS ratio,
        a.condition AS condition_a,
        b.condition AS condition_b
    FROM setting AS a
    JOIN setting AS b
        ON a.lm_init = b.lm_init
        AND a.lm_layer = b.lm_layer
        AND a.data_settings = b.data_settings
        AND a.size_settings = b.size_settings
        AND a.image_settings = b.image_settings
        AND a.recipe_settings = b.recipe_settings
        AND a.asked_settings = b.asked_settings
        AND a.level IS NOT DISTINCT FROM b.level
        AND a.arm IS NOT DISTINCT FROM b.arm
        AND (a.longest = b.longest OR NOT (a.was_cut OR b.was_cut))
    WHERE
        a.lm_kind = 'encoder'
        AND b.lm_kind = 'decoder'
        AND greatest(a.n_lm_parameters, b.n_lm_parameters)
            / least(a.n_lm_parameters, b.n_lm_parameters)
            <= coalesce($ratio::DOUBLE, 1.5)
),

-- kept, so that classes are not joined with one another before conditions are
pair_class AS MATERIALIZED (
    SELECT
        pair.*,
        a.n_candidates,
        a.class_id,
        a.top1,
        a.n_runs
    FROM pair
    JOIN class_mean AS a ON a.condition = pair.condition_a
),

compared AS (
    SELECT
        a.* EXCLUDE (class_id, top1, n_runs),
        avg(a.top1 ORDER BY a.class_id) AS top1_encoder,
        avg(b.top1 ORDER BY a.class_id) AS top1_decoder,
        avg(b.top1 - a.top1 ORDER BY a.class_id) AS difference,
        stddev_samp(b.top1 - a.top1 ORDER BY a.class_id) AS sd,
        count(*) AS n_classes,
        max(a.n_runs) AS n_runs_encoder,
        max(b.n_runs) AS n_runs_decoder
    FROM pair_class AS a
    JOIN class_mean AS b
        ON b.condition = a.condition_b
        AND b.class_id = a.class_id
        AND b.n_candidates = a.n_candidates
    GROUP BY ALL
)

SELECT
    * EXCLUDE (condition_a, condition_b, n_candidates, sd, n_classes, n_runs_encoder, n_runs_decoder),
    difference - t_975(n_classes - 1) * sd / sqrt(n_classes) AS low,
    difference + t_975(n_classes - 1) * sd / sqrt(n_classes) AS high,
    1 / n_candidates AS chance,
    n_classes,
    n_runs_encoder,
    n_runs_decoder
FROM compared
ORDER BY
    trained_on,
    separation_id,
    level_number(level),
    arm DESC,
    encoder_lm,
    decoder_lm,
    lm_init,
    encoder,
    recipe,
    n_pairs,
    asked_on,
    names,
    class_list,
    split,
    condition_a,
    condition_b,
    n_candidates;
