-- The retrieval task in words, one LM and number of objects.
-- Grain: lm, lm_revision, lm_hash, is_vlm, context, vocabulary, settings, n_objects.
-- Units: n_questions, n_right, n_right_open: over the LM's probes, of one seed the largest and of
--   equal ones the latest. n_tokens: mean of a prompt. is_latest: of the settings that the LM was
--   asked this number of objects by, those of the latest probe.
CREATE OR REPLACE VIEW binding_retrieved AS
WITH latest AS (
    SELECT
        look.lm,
        look.lm_revision,
        look.lm_hash,
        look.is_vlm,
        look.context,
        look.vocabulary,
        look.settings,
        look.probe_id,
        look.created_at,
        counted.* EXCLUDE (probe_id)
    FROM binding_retrieval AS counted
    JOIN binding_look AS look USING (probe_id)
    WHERE look.lm IS NOT NULL
    QUALIFY row_number() OVER (
        PARTITION BY
            look.subject, look.context, look.vocabulary, look.settings, look.seed,
            counted.n_objects
        ORDER BY counted.n_questions DESC, look.created_at DESC, probe_id DESC
    ) = 1
),

pooled AS (
    SELECT
        * EXCLUDE (probe_id, created_at, n_tokens, n_questions, n_right, n_right_open),
        max(created_at) AS created_at,
        sum(n_tokens * n_questions ORDER BY probe_id) / sum(n_questions) AS n_tokens,
        sum(n_questions)::BIGINT AS n_questions,
        sum(n_right)::BIGINT AS n_right,
        sum(n_right_open)::BIGINT AS n_right_open
    FROM latest
    GROUP BY ALL
)

SELECT
    *,
    row_number() OVER (
        PARTITION BY lm, lm_revision, lm_hash, is_vlm, context, vocabulary, n_objects
        ORDER BY created_at DESC, settings
    ) = 1 AS is_latest
FROM pooled;
