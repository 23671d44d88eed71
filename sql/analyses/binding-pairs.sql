-- An LM against the language part of a VLM, layer by layer: how answers are bound in each
-- Grain: one row per pair, context, vocabulary, number of objects and layer; a layer that only one
--   of the two has is a row too. Where a setting without a column differs, each is a row.
-- Units: _positional, _symbolic: shares of answers under the counterfactual patch; _ratio =
--   symbolic / positional, NULL where no answer is positional; _symbolic_share = symbolic /
--   (symbolic + positional) keeps the order there. times = vlm_ratio / lm_ratio.
--   _is_peak: the layer of highest positional + symbolic, the embeddings left out; none where it
--   is not above both controls, see @binding-mechanism. _retrieval: accuracy on the
--   task in words with as many objects, NULL where there is none.
-- Empty: no pair was looked at: `xmodal binding probe --lm A --vlm-lm B` does that
-- Params: $pair VARCHAR: one pair, an id or its beginning; all when left out.
WITH member AS (
    SELECT DISTINCT
        pair_id,
        subject,
        context,
        vocabulary,
        as_published,
        settings
    FROM binding_look
    WHERE
        kind = 'interchange'
        AND lm IS NOT NULL
        AND pair_id IS NOT NULL
        AND ($pair IS NULL OR starts_with(pair_id, $pair::VARCHAR))
),

side AS (
    SELECT
        member.pair_id,
        rate.*,
        retrieved.n_right / retrieved.n_questions AS retrieval
    FROM member
    JOIN binding_rate AS rate USING (subject, context, vocabulary, as_published, settings)
    LEFT JOIN binding_retrieved AS retrieved
        ON retrieved.is_latest
        AND retrieved.lm = rate.lm
        AND retrieved.lm_revision IS NOT DISTINCT FROM rate.lm_revision
        AND retrieved.lm_hash = rate.lm_hash
        AND retrieved.is_vlm = rate.is_vlm
        AND retrieved.context = rate.context
        AND retrieved.vocabulary = rate.vocabulary
        AND retrieved.n_objects = rate.n_objects
    WHERE rate.patch = 'counterfactual'
),

pair AS (
    SELECT
        pair_id,
        context,
        vocabulary,
        as_published,
        settings,
        n_objects,
        max(lm) FILTER (NOT is_vlm) AS lm,
        max(lm) FILTER (is_vlm) AS vlm_lm,
        max(retrieval) FILTER (NOT is_vlm) AS lm_retrieval,
        max(retrieval) FILTER (is_vlm) AS vlm_retrieval
    FROM side
    GROUP BY ALL
    HAVING
        count(DISTINCT subject) FILTER (NOT is_vlm) = 1
        AND count(DISTINCT subject) FILTER (is_vlm) = 1
),

layered AS (
    SELECT
        pair_id,
        context,
        vocabulary,
        as_published,
        settings,
        n_objects,
        layer,
        max(positional_rate) FILTER (NOT is_vlm) AS lm_positional,
        max(symbolic_rate) FILTER (NOT is_vlm) AS lm_symbolic,
        max(positional_rate) FILTER (is_vlm) AS vlm_positional,
        max(symbolic_rate) FILTER (is_vlm) AS vlm_symbolic,
        bool_or(is_peak) FILTER (NOT is_vlm) AS lm_is_peak,
        bool_or(is_peak) FILTER (is_vlm) AS vlm_is_peak
    FROM side
    GROUP BY ALL
)

SELECT
    pair_id,
    pair.lm,
    pair.vlm_lm,
    context,
    vocabulary,
    as_published,
    n_objects,
    layer,
    lm_positional,
    lm_symbolic,
    lm_symbolic / nullif(lm_positional, 0) AS lm_ratio,
    lm_symbolic / nullif(lm_symbolic + lm_positional, 0) AS lm_symbolic_share,
    lm_is_peak,
    vlm_positional,
    vlm_symbolic,
    vlm_symbolic / nullif(vlm_positional, 0) AS vlm_ratio,
    vlm_symbolic / nullif(vlm_symbolic + vlm_positional, 0) AS vlm_symbolic_share,
    vlm_is_peak,
    vlm_ratio / nullif(lm_ratio, 0) AS times,
    pair.lm_retrieval,
    pair.vlm_retrieval
FROM layered
JOIN pair USING (pair_id, context, vocabulary, as_published, settings, n_objects)
ORDER BY
    pair_id,
    context DESC,
    vocabulary,
    as_published,
    settings,
    n_objects,
    layer;
