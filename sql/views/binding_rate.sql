-- Rates of interchange interventions, one subject (a run at a step, or an LM) at one layer.
-- Grain: subject, context, vocabulary, as_published, settings, n_objects, layer, patch.
-- Units: counts over the probes of the subject, of one seed the largest and of equal ones the
--   latest; _rate: shares of n_examples, which add up to 1 (positional alone is a word of SQL).
-- is_peak: of the counterfactual patch the layer, but for the embeddings, with the most positional
--   and symbolic answers; of equal ones the first. None where there they are not above those of both
--   controls at this layer, or where these were not computed: a decoder that guesses among the
--   scene's items meets the two by chance, and the best of several layers is above the others. The
--   95 % intervals, Wilson's, must not meet; of equal rates of as many answers they do about once
--   in 360 times (normal beyond 2 * 1.96 / sqrt(2)). Both, as late in a decoder the permuted
--   control brings items of other scenes, and the random direction leaves a guess in the scene.
CREATE OR REPLACE VIEW binding_rate AS
WITH latest AS (
    SELECT
        look.subject,
        look.run_id,
        look.step,
        look.lm,
        look.lm_revision,
        look.lm_hash,
        look.is_vlm,
        look.context,
        look.vocabulary,
        look.as_published,
        look.settings,
        look.n_layers,
        counted.* EXCLUDE (probe_id)
    FROM binding_interchange AS counted
    JOIN binding_look AS look USING (probe_id)
    QUALIFY row_number() OVER (
        PARTITION BY
            look.subject, look.context, look.vocabulary, look.as_published, look.settings,
            look.seed, counted.n_objects, counted.layer, counted.patch
        ORDER BY look.n_examples DESC, look.created_at DESC, probe_id DESC
    ) = 1
),

summed AS (
    SELECT
        * EXCLUDE (
            n_examples, n_positional, n_symbolic, n_reflexive, n_no_effect, n_other, n_ambiguous
        ),
        sum(n_examples)::BIGINT AS n_examples,
        sum(n_positional)::BIGINT AS n_positional,
        sum(n_symbolic)::BIGINT AS n_symbolic,
        sum(n_reflexive)::BIGINT AS n_reflexive,
        sum(n_no_effect)::BIGINT AS n_no_effect,
        sum(n_other)::BIGINT AS n_other,
        sum(n_ambiguous)::BIGINT AS n_ambiguous
    FROM latest
    GROUP BY ALL
)
,

controlled AS (
    SELECT
        *,
        max(wilson_high((n_positional + n_symbolic) / n_examples, n_examples))
            FILTER (patch <> 'counterfactual') OVER same AS control_high,
        count(*) FILTER (patch <> 'counterfactual') OVER same AS n_controls
    FROM summed
    WINDOW same AS (
        PARTITION BY
            subject, context, vocabulary, as_published, settings, n_layers, n_objects, layer
    )
)

SELECT
    * EXCLUDE (control_high, n_controls),
    n_positional / n_examples AS positional_rate,
    n_symbolic / n_examples AS symbolic_rate,
    n_reflexive / n_examples AS reflexive_rate,
    n_no_effect / n_examples AS no_effect_rate,
    n_other / n_examples AS other_rate,
    n_ambiguous / n_examples AS ambiguous_rate,
    patch = 'counterfactual'
    AND layer > 0
    AND n_controls = 2
    AND wilson_low((n_positional + n_symbolic) / n_examples, n_examples) > control_high
    AND row_number() OVER (
        PARTITION BY
            subject, context, vocabulary, as_published, settings, n_layers, n_objects, patch
        ORDER BY layer = 0, (n_positional + n_symbolic) / n_examples DESC, layer
    ) = 1 AS is_peak
FROM controlled;
