-- The effect of each factor on accuracy with more objects than trained with, all else equal
-- Pairs of runs that differ in one factor (uses_noise, uses_grounding, uses_image, uses_mixing,
--   position, scene_layout) and agree in the others, in seeds, sizes, start, steps and questions.
--   Stages are what a factor is about, and may differ; a factor that brings pictures in is
--   held against runs without any. Of position the starts may differ in it too, and in nothing
--   else. An arm that changes several factors at once has no row: @binding-lift has its whole
--   effect.
-- Grain: one row per factor, its two levels, vocabulary, sizes, start, and object counts asked.
-- Units: text context, two-hop question, last step. out_accuracy_a, out_accuracy_b: share of right
--   answers, mean over the object counts beyond training, then over a seed's pairs (whatever the
--   other factors are), then over seeds. difference = b - a; low, high: its 95 % interval over
--   seeds, Student's t, cut at -1 and 1, NULL with one. out_chance: of a guess among the
--   scene's items.
-- Empty: no two binding runs differ in one factor alone: `xmodal binding train --grid` makes such
-- Params: $factor VARCHAR: uses_noise, uses_grounding, uses_image, uses_mixing, position or
--   scene_layout; all when left out.
WITH run AS (
    SELECT
        run.*,
        score.vocabulary,
        score.out_objects,
        score.out_accuracy,
        score.out_chance,
        to_json([run.seed_init, run.seed_order])::VARCHAR AS seeds,
        CASE WHEN run.scene_set_id IS NOT NULL THEN
            md5(to_json({
                'revision': scenes.revision,
                'weights': scenes.weights_sha256,
                'layer': scenes.layer,
                'sizes': [scenes.size_from, scenes.size_to],
                'words': [scenes.n_colours, scenes.n_shapes],
                'objects': [scenes.n_from, scenes.n_to],
                'n_scenes': scenes.n_scenes,
                'side': scenes.side,
                'tokens': [scenes.n_image_tokens, scenes.width],
                'seed': scenes.seed
            })::VARCHAR)
        END AS unlaid_scenes
    FROM binding_condition AS run
    JOIN binding_score AS score USING (run_id)
    LEFT JOIN scene_set AS scenes USING (scene_set_id)
    WHERE
        score.is_last
        AND score.context = 'text'
        AND score.out_accuracy IS NOT NULL
),

-- what the two runs of a pair must agree in, factor by factor: NULL stands for what may differ
levelled AS (
    SELECT
        * EXCLUDE (level),
        unnest(level)
    FROM (
        SELECT
            run.*,
            unnest([
                {
                    'factor': 'uses_noise',
                    'level': uses_noise::VARCHAR,
                    'place': uses_noise::BIGINT,
                    'noise': NULL,
                    'grounding': uses_grounding,
                    'image': uses_image,
                    'mixing': uses_mixing,
                    'at': position,
                    'scenes': scene_set_id,
                    'begun': start_run_id
                },
                {
                    'factor': 'uses_grounding',
                    'level': uses_grounding::VARCHAR,
                    'place': uses_grounding::BIGINT,
                    'noise': uses_noise,
                    'grounding': NULL,
                    'image': uses_image,
                    'mixing': uses_mixing,
                    'at': position,
                    'scenes': NULL,
                    'begun': start_run_id
                },
                {
                    'factor': 'uses_image',
                    'level': uses_image::VARCHAR,
                    'place': uses_image::BIGINT,
                    'noise': uses_noise,
                    'grounding': uses_grounding,
                    'image': NULL,
                    'mixing': uses_mixing,
                    'at': position,
                    'scenes': NULL,
                    'begun': start_run_id
                },
                {
                    'factor': 'uses_mixing',
                    'level': uses_mixing::VARCHAR,
                    'place': uses_mixing::BIGINT,
                    'noise': uses_noise,
                    'grounding': uses_grounding,
                    'image': uses_image,
                    'mixing': NULL,
                    'at': position,
                    'scenes': scene_set_id,
                    'begun': start_run_id
                },
                {
                    'factor': 'position',
                    'level': position,
                    'place': list_position(
                        ['rope', 'learned', 'none', 'random-offset'], position
                    )::BIGINT,
                    'noise': uses_noise,
                    'grounding': uses_grounding,
                    'image': uses_image,
                    'mixing': uses_mixing,
                    'at': NULL,
                    'scenes': scene_set_id,
                    'begun': unplaced_start
                },
                {
                    'factor': 'scene_layout',
                    'level': scene_layout,
                    'place': list_position(['fixed', 'jittered', 'random'], scene_layout)::BIGINT,
                    'noise': uses_noise,
                    'grounding': uses_grounding,
                    'image': uses_image,
                    'mixing': uses_mixing,
                    'at': position,
                    'scenes': concat_ws(' ', encoder, unlaid_scenes),
                    'begun': start_run_id
                }
            ]) AS level
        FROM run
    )
    WHERE
        level.level IS NOT NULL
        AND ($factor IS NULL OR level.factor = $factor::VARCHAR)
),

pair AS (
    SELECT
        a.factor,
        a.level AS level_a,
        b.level AS level_b,
        a.place AS place_a,
        b.place AS place_b,
        a.vocabulary,
        a.n_layers,
        a.width,
        a.n_heads,
        a.n_from,
        a.n_to,
        a.start,
        a.n_steps,
        a.n_questions,
        a.factor_settings,
        a.out_objects,
        a.out_chance,
        a.seeds,
        a.run_id AS run_a,
        b.run_id AS run_b,
        a.out_accuracy AS out_accuracy_a,
        b.out_accuracy AS out_accuracy_b
    FROM levelled AS a
    JOIN levelled AS b
        ON a.factor = b.factor
        AND a.place < b.place
        AND a.factor_settings = b.factor_settings
        AND a.seeds = b.seeds
        AND a.vocabulary = b.vocabulary
        AND a.out_objects = b.out_objects
        AND a.noise IS NOT DISTINCT FROM b.noise
        AND a.grounding IS NOT DISTINCT FROM b.grounding
        AND a.image IS NOT DISTINCT FROM b.image
        AND a.mixing IS NOT DISTINCT FROM b.mixing
        AND a.at IS NOT DISTINCT FROM b.at
        AND a.scenes IS NOT DISTINCT FROM b.scenes
        AND a.begun IS NOT DISTINCT FROM b.begun
        AND (
            a.factor = 'scene_layout'
            OR a.scene_set_id IS NOT DISTINCT FROM b.scene_set_id
            OR a.factor IN ('uses_grounding', 'uses_image') AND a.scene_set_id IS NULL
        )
),

of_seed AS (
    SELECT
        * EXCLUDE (run_a, run_b, out_accuracy_a, out_accuracy_b),
        avg(out_accuracy_a ORDER BY run_a, run_b) AS out_accuracy_a,
        avg(out_accuracy_b ORDER BY run_a, run_b) AS out_accuracy_b,
        avg(out_accuracy_b - out_accuracy_a ORDER BY run_a, run_b) AS difference,
        count(*) AS n_pairs
    FROM pair
    GROUP BY ALL
),

effect AS (
    SELECT
        * EXCLUDE (seeds, out_accuracy_a, out_accuracy_b, difference, n_pairs),
        avg(out_accuracy_a ORDER BY seeds) AS out_accuracy_a,
        avg(out_accuracy_b ORDER BY seeds) AS out_accuracy_b,
        avg(difference ORDER BY seeds) AS difference,
        seed_low(difference, seeds, -1) AS low,
        seed_high(difference, seeds, 1) AS high,
        count(*) AS n_seeds,
        sum(n_pairs)::BIGINT AS n_pairs
    FROM of_seed
    GROUP BY ALL
)

SELECT
    factor,
    level_a,
    level_b,
    vocabulary,
    n_layers,
    width,
    n_from,
    n_to,
    start,
    n_steps,
    n_questions,
    out_objects,
    out_accuracy_a,
    out_accuracy_b,
    difference,
    low,
    high,
    out_chance,
    n_seeds,
    n_pairs
FROM effect
ORDER BY
    factor,
    place_a,
    place_b,
    vocabulary,
    n_layers,
    width,
    n_heads,
    n_from,
    n_to,
    start,
    n_steps,
    n_questions,
    out_objects,
    factor_settings;
