-- What relatives of unseen classes in training are worth: separated against control, by level
-- Each level removes what is near to unseen classes, and its control as many classes at random;
--   at none nothing is removed, not even the unseen classes, and the arms are the same: where
--   one run serves both, both are held against it.
-- Grain: one row per condition but for arm and sizes, level, and number of candidates. n_pairs of
--   the arms differ, as classes have more or fewer pictures; a limit on pairs belongs to the
--   recipe and is the same.
--   Where a setting without a column differs, each pair of settings is a row.
-- Units: top1_separated, top1_control: share of pictures whose class stands first, mean over
--   runs, then over classes. difference = separated - control, paired by class.
--   drop_separated, drop_control: top1 at none - top1 here, paired by class; NULL at none, and
--   without one of the same candidates. _low, _high, low, high: 95 % intervals, Student's t over
--   classes, NULL with one. chance = 1 / candidates.
-- Empty: no evaluated alignment was trained on a level of a concept separation
-- Params: $task VARCHAR: zero-shot when left out; seen, generalised. $level VARCHAR: one
--   level; all when left out.
WITH class_mean AS MATERIALIZED (
    SELECT *
    FROM align_seed_mean
    WHERE task = coalesce($task::VARCHAR, 'zero-shot')
),

part AS MATERIALIZED (
    SELECT
        condition,
        level,
        coalesce(arm, 'separated') AS arm,
        n_pairs,
        {
            'trained_on': trained_on,
            'separation_id': separation_id,
            'lm': lm,
            'lm_init': lm_init,
            'lm_kind': lm_kind,
            'lm_pooling': lm_pooling,
            'encoder': encoder,
            'recipe': recipe,
            'asked_on': asked_on,
            'names': names,
            'class_list': class_list,
            'split': split
        } AS shown,
        md5(concat_ws(
            ' ', data_settings, text_settings, image_settings, recipe_settings, asked_settings,
            validation, n_params
        )) AS settings
    FROM align_setting
    WHERE level IS NOT NULL
),

scored AS (
    SELECT
        part.*,
        class_mean.n_candidates,
        avg(top1 ORDER BY class_id) AS top1,
        count(*) AS n_classes,
        max(n_runs) AS n_runs
    FROM part
    JOIN class_mean USING (condition)
    GROUP BY ALL
),

-- at none the same arm where it was trained, else the other one
base AS (
    SELECT
        here.condition,
        there.condition AS base
    FROM part AS here
    JOIN part AS there
        ON there.settings = here.settings
        AND there.level = 'none'
    WHERE here.level <> 'none'
    QUALIFY rank() OVER (PARTITION BY here.condition ORDER BY there.arm = here.arm DESC) = 1
),

-- kept, so that classes are not joined with one another before conditions are
base_class AS MATERIALIZED (
    SELECT base.base, class_mean.*
    FROM base
    JOIN class_mean USING (condition)
),

fall AS (
    SELECT
        here.condition,
        here.base,
        here.n_candidates,
        avg(there.top1 - here.top1 ORDER BY here.class_id) AS fall,
        stddev_samp(there.top1 - here.top1 ORDER BY here.class_id) AS sd,
        t_975(count(*) - 1) * sd / sqrt(count(*)) AS half
    FROM base_class AS here
    JOIN class_mean AS there
        ON there.condition = here.base
        AND there.class_id = here.class_id
        AND there.n_candidates = here.n_candidates
    GROUP BY ALL
),

arms AS MATERIALIZED (
    SELECT
        settings,
        level,
        n_candidates,
        coalesce(separated.shown, control.shown) AS shown,
        separated.condition AS separated,
        control.condition AS control,
        separated.top1 AS top1_separated,
        control.top1 AS top1_control,
        separated.n_pairs AS n_pairs_separated,
        control.n_pairs AS n_pairs_control,
        coalesce(separated.n_classes, control.n_classes) AS n_classes,
        separated.n_runs AS n_runs_separated,
        control.n_runs AS n_runs_control
    FROM (FROM scored WHERE arm = 'separated') AS separated
    FULL JOIN (FROM scored WHERE arm = 'control') AS control
        USING (settings, level, n_candidates)
),

arm_class AS MATERIALIZED (
    SELECT
        arms.separated,
        arms.control,
        arms.n_candidates,
        class_mean.class_id,
        class_mean.top1
    FROM arms
    JOIN class_mean
        ON class_mean.condition = arms.separated
        AND class_mean.n_candidates = arms.n_candidates
),

effect AS (
    SELECT
        a.separated,
        a.control,
        a.n_candidates,
        avg(a.top1 - b.top1 ORDER BY a.class_id) AS difference,
        stddev_samp(a.top1 - b.top1 ORDER BY a.class_id) AS sd,
        t_975(count(*) - 1) * sd / sqrt(count(*)) AS half
    FROM arm_class AS a
    JOIN class_mean AS b
        ON b.condition = a.control
        AND b.n_candidates = a.n_candidates
        AND b.class_id = a.class_id
    GROUP BY ALL
)

SELECT
    unnest(arms.shown),
    arms.level,
    top1_separated,
    top1_control,
    effect.difference,
    effect.difference - effect.half AS low,
    effect.difference + effect.half AS high,
    fall.fall AS drop_separated,
    fall.fall - fall.half AS drop_separated_low,
    fall.fall + fall.half AS drop_separated_high,
    control_fall.fall AS drop_control,
    control_fall.fall - control_fall.half AS drop_control_low,
    control_fall.fall + control_fall.half AS drop_control_high,
    1 / arms.n_candidates AS chance,
    n_classes,
    n_pairs_separated,
    n_pairs_control,
    n_runs_separated,
    n_runs_control
FROM arms
LEFT JOIN effect
    ON effect.separated = arms.separated
    AND effect.control = arms.control
    AND effect.n_candidates = arms.n_candidates
LEFT JOIN fall
    ON fall.condition = arms.separated
    AND fall.n_candidates = arms.n_candidates
LEFT JOIN fall AS control_fall
    ON control_fall.condition = arms.control
    AND control_fall.n_candidates = arms.n_candidates
WHERE $level IS NULL OR arms.level = $level::VARCHAR
ORDER BY
    arms.shown,
    arms.settings,
    level_number(arms.level),
    arms.separated,
    arms.control,
    arms.n_candidates,
    fall.base,
    control_fall.base;
