-- Scene sets: where objects stand, how many, what encodes the pictures, and what uses them
-- Grain: one row per set of rendered scenes.
-- Units: size_from, size_to: smallest and largest object, shares of the picture's side; side in
--   pixels; n_from, n_to: fewest and most objects; n_image_tokens of width numbers per scene;
--   n_runs: binding runs on the set.
-- Empty: no scene set is in the store: `xmodal binding data` makes one
-- Params: none
SELECT
    scene_set_id,
    encoder,
    revision,
    layer,
    scene_layout,
    size_from,
    size_to,
    n_colours,
    n_shapes,
    n_from,
    n_to,
    n_scenes,
    side,
    n_image_tokens,
    width,
    seed,
    (
        SELECT count(*)
        FROM binding_run
        WHERE binding_run.scene_set_id = scene_set.scene_set_id
    ) AS n_runs
FROM scene_set
ORDER BY encoder, scene_layout, n_to, scene_set_id;
