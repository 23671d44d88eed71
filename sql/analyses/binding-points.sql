-- Mechanism and accuracy of each binding run: the points behind @binding-predicts
-- Grain: one row per run, step, and context, vocabulary and number of objects of the look. Where a
--   setting without a column differs, each is a row.
-- Units: layer: the peak, of highest positional + symbolic, the embeddings left out; NULL where the
--   sum there is not above those of both controls, see @binding-mechanism. _rate: shares of
--   answers there; symbolic_share = symbolic / (symbolic + positional). layer0_share: the same of
--   the embeddings, which are the queried word alone. in_distribution: the look is at no more
--   objects than training shows (n_to). accuracy: two-hop question, context, number of objects
--   and step of the look: where it is low, most base answers are wrong, and a patch moves answers
--   that were not bound to begin with. in_accuracy, out_accuracy: text context, two-hop question,
--   at this step; mean over the object counts up to n_to and over the larger ones (out_objects);
--   NULL where it was not asked then. is_last: the last look at the run.
-- Empty: no run was looked at by interchange interventions: `xmodal binding probe` does that
-- Params: $run VARCHAR: a run id or its beginning; all when left out.
SELECT
    point.run_id,
    run.condition,
    run.arm,
    run.position,
    run.start,
    run.scene_layout,
    run.encoder,
    run.recipe,
    run.seed_init,
    run.seed_order,
    run.n_layers,
    run.n_to,
    point.step,
    point.is_last,
    point.context,
    point.vocabulary,
    point.as_published,
    point.n_objects,
    point.in_distribution,
    point.accuracy,
    point.layer,
    point.positional_rate,
    point.symbolic_rate,
    point.symbolic_share,
    point.layer0_share,
    point.in_accuracy,
    point.out_accuracy,
    point.out_objects
FROM binding_share AS point
JOIN binding_condition AS run USING (run_id)
WHERE $run IS NULL OR starts_with(point.run_id, $run::VARCHAR)
ORDER BY
    run.arm,
    run.position,
    run.condition,
    run.seed_init,
    run.seed_order,
    point.run_id,
    point.context DESC,
    point.vocabulary,
    point.as_published,
    point.settings,
    point.n_objects,
    point.step;
