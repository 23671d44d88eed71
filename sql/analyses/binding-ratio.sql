-- Symbolic against positional binding at the layer of peak effect, of each run and LM
-- @binding-pairs holds an LM against a VLM's language part layer by layer.
-- Grain: one row per run and step, or LM, and context, vocabulary and number of objects. Where a
--   setting without a column differs, each is a row.
-- Units: layer: the peak, of highest positional + symbolic, the embeddings left out; NULL, with all
--   that is said of it, where the sum there is not above those of both controls, see
--   @binding-mechanism. _rate: shares of n_examples. ratio = symbolic / positional, NULL where no
--   answer is positional; symbolic_share = symbolic / (symbolic + positional) keeps the order
--   there, and 1 is a ratio beyond any. low, high: 95 % interval of the ratio over examples,
--   normal on its logarithm, as if the layer were given; NULL where one of the two is 0. paper:
--   ratio that the paper reports for this family of LMs, of a size that it does not say here; NULL
--   for others. retrieval: accuracy of the LM on the task in words with as many objects;
--   longest_retrieval: with the most that it was asked, longest_objects; NULL where there is none.
--   See @binding-retrieval.
-- Empty: no interchange intervention is in the store: `xmodal binding probe` makes them
-- Params: $run VARCHAR: a run id or its beginning; $lm VARCHAR: one LM; all when left out.
WITH
-- arXiv 2602.15183, ratio at the peak layer of LMs and of VLMs' language parts (PROTOCOLS.md S3)
paper (family, is_vlm, ratio) AS (
    VALUES
    ('Qwen2', FALSE, 1.383::DOUBLE),
    ('Qwen2', TRUE, 1.499::DOUBLE),
    ('Qwen2.5', FALSE, 1.218::DOUBLE),
    ('Qwen2.5', TRUE, 1.282::DOUBLE),
    ('Qwen3', FALSE, 1.819::DOUBLE),
    ('Qwen3', TRUE, 2.463::DOUBLE)
),

look AS (
    SELECT
        * REPLACE (
            CASE WHEN is_peak THEN layer END AS layer,
            CASE WHEN is_peak THEN n_positional END AS n_positional,
            CASE WHEN is_peak THEN n_symbolic END AS n_symbolic,
            CASE WHEN is_peak THEN positional_rate END AS positional_rate,
            CASE WHEN is_peak THEN symbolic_rate END AS symbolic_rate,
            CASE WHEN is_peak THEN reflexive_rate END AS reflexive_rate,
            CASE WHEN is_peak THEN no_effect_rate END AS no_effect_rate
        )
    FROM binding_rate AS rate
    WHERE
        patch = 'counterfactual'
        AND ($run IS NULL OR starts_with(run_id, $run::VARCHAR))
        AND ($lm IS NULL OR lm = $lm::VARCHAR)
    -- a look without a peak is a row too
    QUALIFY row_number() OVER (
        PARTITION BY
            subject, context, vocabulary, as_published, settings, n_layers, n_objects
        ORDER BY is_peak DESC, rate.layer
    ) = 1
),

peak AS (
    SELECT
        *,
        n_symbolic / nullif(n_positional, 0) AS ratio,
        n_symbolic / nullif(n_symbolic + n_positional, 0) AS symbolic_share,
        CASE WHEN n_symbolic > 0 AND n_positional > 0 THEN
            exp(1.959963985 * sqrt(1 / n_symbolic + 1 / n_positional))
        END AS factor,
        CASE WHEN contains(lm, '-VL-') = is_vlm THEN
            regexp_extract(
                lm, '(?:^|/)(Qwen(?:2|2\.5|3))(?:-VL)?-[0-9.]+B(?:-Instruct)?$', 1
            )
        END AS family
    FROM look
),

retrieved AS (
    SELECT
        lm,
        coalesce(lm_revision, '') AS revision,
        lm_hash,
        is_vlm,
        context,
        vocabulary,
        n_objects,
        n_right / n_questions AS accuracy
    FROM binding_retrieved
    WHERE is_latest
),

longest AS (
    SELECT
        * EXCLUDE (n_objects, accuracy),
        max(n_objects) AS longest_objects,
        arg_max(accuracy, n_objects) AS accuracy
    FROM retrieved
    GROUP BY ALL
)

SELECT
    peak.run_id,
    run.condition,
    run.arm,
    run.position,
    run.seed_init,
    run.seed_order,
    peak.step,
    peak.lm,
    peak.lm_revision,
    peak.is_vlm,
    peak.context,
    peak.vocabulary,
    peak.as_published,
    peak.n_layers,
    peak.n_objects,
    peak.layer,
    peak.positional_rate,
    peak.symbolic_rate,
    peak.reflexive_rate,
    peak.no_effect_rate,
    peak.n_examples,
    peak.ratio,
    peak.ratio / peak.factor AS low,
    peak.ratio * peak.factor AS high,
    peak.symbolic_share,
    paper.ratio AS paper,
    retrieved.accuracy AS retrieval,
    longest.longest_objects,
    longest.accuracy AS longest_retrieval
FROM peak
LEFT JOIN binding_condition AS run USING (run_id)
LEFT JOIN paper ON paper.family = peak.family AND paper.is_vlm = peak.is_vlm
LEFT JOIN retrieved
    ON retrieved.lm = peak.lm
    AND retrieved.revision = coalesce(peak.lm_revision, '')
    AND retrieved.lm_hash = peak.lm_hash
    AND retrieved.is_vlm = peak.is_vlm
    AND retrieved.context = peak.context
    AND retrieved.vocabulary = peak.vocabulary
    AND retrieved.n_objects = peak.n_objects
LEFT JOIN longest
    ON longest.lm = peak.lm
    AND longest.revision = coalesce(peak.lm_revision, '')
    AND longest.lm_hash = peak.lm_hash
    AND longest.is_vlm = peak.is_vlm
    AND longest.context = peak.context
    AND longest.vocabulary = peak.vocabulary
ORDER BY
    run.arm,
    run.position,
    run.condition,
    run.seed_init,
    run.seed_order,
    peak.run_id,
    peak.lm,
    peak.lm_revision,
    peak.lm_hash,
    peak.is_vlm,
    peak.context DESC,
    peak.vocabulary,
    peak.as_published,
    peak.settings,
    peak.n_objects,
    peak.step,
    peak.n_layers;
