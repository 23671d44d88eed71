-- How answers are bound, by layer and by training step: rates of interchange interventions
-- The last token's activation after a layer comes from a run on a counterfactual in which answers
--   and keys are swapped; what is answered then says what the activation holds: the place of
--   the object (positional), the key it goes by (symbolic), or the answer itself (reflexive).
-- Grain: one row per condition of runs (that differ by seeds only) and step, or LM, and context,
--   vocabulary, number of objects, layer and patch. Where a setting without a column differs,
--   each is a row.
-- Units: layer 0: the embeddings; l: after block l. _rate: shares of all answers, mean over runs,
--   which add up to 1; ambiguous: symbolic and reflexive at once, of draws as published alone.
--   _low, _high: 95 % interval over seeds, Student's t, cut at 0 and 1, NULL with one; runs of one
--   start are averaged first where there are several starts. ratio = symbolic / positional, NULL
--   where no answer is positional; symbolic_share = symbolic / (symbolic + positional) keeps the
--   order there. is_peak: of the counterfactual patch the layer of the highest positional +
--   symbolic, the embeddings left out; none where the sum there is not above those of both
--   controls (another example's activation, a random direction), which meet the two by chance:
--   95 % intervals over all examples, Wilson's, must not meet. n_runs: NULL of an LM.
-- Empty: no interchange intervention is in the store: `xmodal binding probe` makes them
-- Params: $patch VARCHAR: counterfactual, random-direction or permuted; all when left out. $run
--   VARCHAR: the condition of this run, an id or its beginning; all when left out. $lm VARCHAR:
--   one LM; all when left out.
WITH moment AS (
    SELECT DISTINCT run_id, step, stage, ends_stage
    FROM binding_accuracy
),

of_unit AS (
    SELECT
        run.condition,
        run.arm,
        run.position,
        run.start,
        run.scene_layout,
        run.encoder,
        run.recipe,
        rate.lm,
        rate.lm_revision,
        rate.lm_hash,
        rate.is_vlm,
        rate.step,
        moment.stage,
        moment.ends_stage,
        rate.context,
        rate.vocabulary,
        rate.as_published,
        rate.settings,
        rate.n_layers,
        rate.n_objects,
        rate.layer,
        rate.patch,
        run.unit,
        avg(rate.positional_rate ORDER BY run_id) AS positional_rate,
        avg(rate.symbolic_rate ORDER BY run_id) AS symbolic_rate,
        avg(rate.reflexive_rate ORDER BY run_id) AS reflexive_rate,
        avg(rate.no_effect_rate ORDER BY run_id) AS no_effect_rate,
        avg(rate.other_rate ORDER BY run_id) AS other_rate,
        avg(rate.ambiguous_rate ORDER BY run_id) AS ambiguous_rate,
        sum(rate.n_examples)::BIGINT AS n_examples,
        count(run.run_id) AS n_runs
    FROM binding_rate AS rate
    LEFT JOIN binding_condition AS run USING (run_id)
    LEFT JOIN moment USING (run_id, step)
    WHERE $lm IS NULL OR rate.lm = $lm::VARCHAR
    GROUP BY ALL
),

of_condition AS (
    SELECT
        * EXCLUDE (
            unit, positional_rate, symbolic_rate, reflexive_rate, no_effect_rate, other_rate, ambiguous_rate, n_examples, n_runs
        ),
        avg(positional_rate ORDER BY unit) AS positional_rate,
        seed_low(positional_rate, unit, 0) AS positional_low,
        seed_high(positional_rate, unit, 1) AS positional_high,
        avg(symbolic_rate ORDER BY unit) AS symbolic_rate,
        seed_low(symbolic_rate, unit, 0) AS symbolic_low,
        seed_high(symbolic_rate, unit, 1) AS symbolic_high,
        avg(reflexive_rate ORDER BY unit) AS reflexive_rate,
        avg(no_effect_rate ORDER BY unit) AS no_effect_rate,
        avg(other_rate ORDER BY unit) AS other_rate,
        avg(ambiguous_rate ORDER BY unit) AS ambiguous_rate,
        sum(n_examples)::BIGINT AS n_examples,
        nullif(sum(n_runs), 0)::BIGINT AS n_runs
    FROM of_unit
    GROUP BY ALL
),

controlled AS (
    SELECT
        *,
        max(wilson_high(positional_rate + symbolic_rate, n_examples))
            FILTER (patch <> 'counterfactual') OVER same AS control_high,
        count(*) FILTER (patch <> 'counterfactual') OVER same AS n_controls
    FROM of_condition
    WINDOW same AS (
        PARTITION BY
            condition, lm, lm_revision, lm_hash, is_vlm, step, stage, ends_stage, context,
            vocabulary, as_published, settings, n_layers, n_objects, layer
    )
)

SELECT
    condition,
    arm,
    position,
    start,
    scene_layout,
    encoder,
    recipe,
    lm,
    lm_revision,
    is_vlm,
    step,
    stage,
    ends_stage,
    context,
    vocabulary,
    as_published,
    n_layers,
    n_objects,
    patch,
    layer,
    positional_rate,
    positional_low,
    positional_high,
    symbolic_rate,
    symbolic_low,
    symbolic_high,
    reflexive_rate,
    no_effect_rate,
    other_rate,
    ambiguous_rate,
    symbolic_rate / nullif(positional_rate, 0) AS ratio,
    symbolic_rate / nullif(symbolic_rate + positional_rate, 0) AS symbolic_share,
    patch = 'counterfactual'
    AND layer > 0
    AND n_controls = 2
    AND wilson_low(positional_rate + symbolic_rate, n_examples) > control_high
    AND row_number() OVER (
        PARTITION BY
            condition, lm, lm_revision, lm_hash, is_vlm, step, stage, ends_stage, context,
            vocabulary, as_published, settings, n_layers, n_objects, patch
        -- equal sums are equal but for rounding
        ORDER BY layer = 0, round(positional_rate + symbolic_rate, 9) DESC, layer
    ) = 1 AS is_peak,
    n_examples,
    n_runs
FROM controlled
WHERE
    $run IS NULL
    OR condition IN (
        SELECT condition
        FROM binding_condition
        WHERE starts_with(run_id, $run::VARCHAR)
    )
QUALIFY $patch IS NULL OR patch = $patch::VARCHAR
ORDER BY
    arm,
    position,
    start,
    scene_layout,
    encoder,
    recipe,
    condition,
    lm,
    lm_revision,
    lm_hash,
    is_vlm,
    context DESC,
    vocabulary,
    as_published,
    settings,
    n_objects,
    step,
    stage,
    ends_stage,
    patch,
    layer;
