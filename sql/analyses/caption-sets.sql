-- Caption sets: where their pairs are from, the encoder of their pictures, and how many there are
-- Grain: one row per set of pairs of caption and picture, by name.
-- Units: n_pairs pairs of n_texts distinct captions and n_images distinct pictures, each a vector
--   of width numbers; n_skipped pairs without a caption or a picture that can be decoded.
-- Empty: no caption set is in the store: `xmodal align pairs` makes one
-- Params: none
SELECT
    caption_set_id,
    name,
    source,
    encoder,
    revision,
    layer,
    pooling,
    width,
    n_pairs,
    n_texts,
    n_images,
    n_skipped
FROM caption_set
ORDER BY name, caption_set_id;
