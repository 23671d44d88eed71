-- Mechanism and accuracy of a run at one moment.
-- Grain: run_id, step, context, vocabulary, as_published, settings, n_objects (of the look).
-- Units: layer, positional_rate, symbolic_rate: at the peak of binding_rate; symbolic_share: symbolic /
--   (symbolic + positional); NULL where there is no peak. layer0_share: symbolic_share of the
--   embeddings; NULL without such answers. in_distribution: the look is at no more objects than
--   training shows. accuracy: two-hop, of the look's context and number of objects at this step;
--   in_accuracy, out_accuracy, out_objects: of the text context at this step, as in
--   binding_score; NULL where it was not asked then. is_last: the last step at which the run was
--   looked at in this way.
CREATE OR REPLACE VIEW binding_share AS
WITH look AS (
    SELECT
        run_id,
        step,
        context,
        vocabulary,
        as_published,
        settings,
        n_objects,
        max(layer) FILTER (is_peak) AS layer,
        max(positional_rate) FILTER (is_peak) AS positional_rate,
        max(symbolic_rate) FILTER (is_peak) AS symbolic_rate,
        max(n_symbolic / (n_symbolic + n_positional)) FILTER (is_peak) AS symbolic_share,
        max(n_symbolic / nullif(n_symbolic + n_positional, 0)) FILTER (layer = 0) AS layer0_share,
        step = max(step) OVER (
            PARTITION BY run_id, context, vocabulary, as_published, settings, n_objects
        ) AS is_last
    FROM binding_rate
    WHERE run_id IS NOT NULL AND patch = 'counterfactual'
    GROUP BY run_id, step, context, vocabulary, as_published, settings, n_objects
)

SELECT
    look.*,
    look.n_objects <= run.n_to AS in_distribution,
    asked.n_right / asked.n_questions AS accuracy,
    score.in_accuracy,
    score.out_accuracy,
    score.out_objects
FROM look
JOIN binding_run AS run USING (run_id)
LEFT JOIN binding_accuracy AS asked
    ON asked.run_id = look.run_id
    AND asked.step = look.step
    AND asked.context = look.context
    AND asked.vocabulary = look.vocabulary
    AND asked.n_objects = look.n_objects
    AND asked.question = 'two'
LEFT JOIN binding_score AS score
    ON score.run_id = look.run_id
    AND score.step = look.step
    AND score.vocabulary = look.vocabulary
    AND score.context = 'text';
