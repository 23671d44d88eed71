-- The condition of each binding run: what was trained. Runs of one condition differ by seeds only
-- (of initialisation and order, and those of what they started from), machine and time.
-- Grain: run_id.
-- condition: the beginning of a hash of all settings, those of the run it started from, and of
--   what that one started from, among them. The pictures count by their set.
-- root: the run of this chain that was trained from scratch, or whose start is not in the store.
-- unit: what an interval over seeds takes for independent: runs of one root share its luck, so
--   that they are averaged first where a condition has several roots; where all have one root the
--   runs themselves, and the interval holds for that root alone.
-- _total: with the runs it started from.
-- For the effect of one factor: factor_settings: a hash of what is no factor; recipes without
--   their names, stages, position and pictures, but with the numbers of steps and questions.
--   unplaced_start: of the start, all its settings and seeds but for the position.
CREATE OR REPLACE VIEW binding_condition AS
WITH RECURSIVE said AS (
    SELECT
        *,
        -- what bears on the machine only is no setting
        json_merge_patch(
            recipe_json::JSON,
            '{"threads": null, "rows": null, "offload": null, "device": null, "log_every": null,
                "n_together": null, "seed": null, "seeds": null, "seed_init": null,
                "seed_order": null}'::JSON
        ) AS recipe_said
    FROM binding_run
),

own AS (
    SELECT
        *,
        md5(to_json({
            'experiment': experiment,
            'arm': arm,
            'noise': uses_noise,
            'grounding': uses_grounding,
            'image': uses_image,
            'mixing': uses_mixing,
            'expansion': uses_expansion,
            'position': position,
            'scenes': scene_set_id,
            'layout': scene_layout,
            'encoder': encoder,
            'start': start,
            'recipe': recipe,
            'said': recipe_said,
            'n_layers': n_layers,
            'width': width,
            'n_heads': n_heads,
            'n_params': n_params,
            'n_from': n_from,
            'n_to': n_to,
            'precision': precision
        })::VARCHAR) AS settings,
        md5(to_json({
            'experiment': experiment,
            'expansion': uses_expansion,
            'start': start,
            'said': json_merge_patch(
                recipe_said,
                '{"name": null, "arm": null, "stages": null, "position": null,
                    "image_width": null, "scenes": null, "scene_set": null,
                    "scene_set_id": null, "scene_layout": null, "encoder": null,
                    "decoder": {"position": null, "image_width": null}}'::JSON
            ),
            'n_layers': n_layers,
            'width': width,
            'n_heads': n_heads,
            'n_from': n_from,
            'n_to': n_to,
            'n_steps': n_steps,
            'n_questions': n_questions,
            'precision': precision
        })::VARCHAR) AS factor_settings,
        -- of a start, whose stages count
        md5(to_json({
            'arm': arm,
            'scenes': scene_set_id,
            'said': json_merge_patch(
                recipe_said,
                '{"name": null, "position": null, "decoder": {"position": null}}'::JSON
            ),
            'n_layers': n_layers,
            'width': width,
            'n_heads': n_heads,
            'n_from': n_from,
            'n_to': n_to,
            'n_steps': n_steps,
            'n_questions': n_questions,
            'precision': precision,
            'seeds': [seed_init, seed_order]
        })::VARCHAR) AS unplaced_own
    FROM said
),

chain AS (
    SELECT
        run_id,
        md5(concat_ws(' ', settings, start_run_id)) AS whole,
        md5(concat_ws(' ', unplaced_own, start_run_id)) AS unplaced,
        start_run_id AS unplaced_start,
        run_id AS root,
        n_steps::HUGEINT AS n_steps_total,
        n_questions::HUGEINT AS n_questions_total,
        n_tokens::HUGEINT AS n_tokens_total,
        n_tokens_computed::HUGEINT AS n_tokens_computed_total,
        flops AS flops_total
    FROM own
    WHERE
        start_run_id IS NULL
        OR start_run_id NOT IN (SELECT run_id FROM binding_run)
    UNION ALL
    SELECT
        own.run_id,
        md5(concat_ws(' ', own.settings, chain.whole)) AS whole,
        md5(concat_ws(' ', own.unplaced_own, chain.unplaced)) AS unplaced,
        chain.unplaced AS unplaced_start,
        chain.root,
        own.n_steps + chain.n_steps_total AS n_steps_total,
        own.n_questions + chain.n_questions_total AS n_questions_total,
        own.n_tokens + chain.n_tokens_total AS n_tokens_total,
        own.n_tokens_computed + chain.n_tokens_computed_total AS n_tokens_computed_total,
        own.flops + chain.flops_total AS flops_total
    FROM own
    JOIN chain ON own.start_run_id = chain.run_id
)

SELECT
    own.* EXCLUDE (settings, recipe_said, unplaced_own),
    left(chain.whole, 12) AS condition,
    chain.* EXCLUDE (run_id, whole, unplaced),
    CASE
        WHEN count(DISTINCT chain.root) OVER (PARTITION BY chain.whole) > 1 THEN chain.root
        ELSE own.run_id
    END AS unit
FROM own
JOIN chain USING (run_id);
