-- Mechanism and accuracy of each binding run: the points behind @binding-predicts
-- Grain: one row per run, step, and context, vocabulary and number of objects of the look. Where a
--   setting without a column differs, each is a row.
-- Units: layer: the peak, of highest positional + symbolic, the embeddings left out. _rate:
--   shares of answers there; symbolic_share = symbolic / (symbolic + positional), NULL
--   where no layer has any of the two. in_accuracy, out_accuracy: text context, two-hop question,
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
    point.layer,
    point.positional_rate,
    point.symbolic_rate,
    point.symbolic_share,
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
