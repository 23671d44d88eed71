-- How alike the training pictures of a hypernym are to the encoder, by shuffle
-- S1's table of visual coherence: 0.274 with the true labels, 0.269 within categories, 0.119
--   across. S1 took other features and another order of the images than its training.
-- Grain: one row per measurement (coherence_id) and shuffle.
-- Units: coherence: mean cosine in [-1, 1] of all pairs of a hypernym's training pictures, then
--   the mean over hypernyms; coherence_min, coherence_max: the least and the largest
--   of the hypernyms. coherence_other_leaf: pairs of two leaves only, over the hypernyms that have
--   such pairs (NULL for released ones). n_undefined: hypernyms with fewer than two
--   pictures, left out.
-- Empty: no coherence is in the store: `xmodal coherence` measures it, `xmodal import s1 PATH`
--   brings the paper's
-- Params: none
SELECT
    source,
    dataset,
    encoder,
    feature_set_id,
    relation,
    shuffle,
    shuffle_id,
    coherence_id,
    avg(coherence ORDER BY hypernym) AS coherence,
    min(coherence) AS coherence_min,
    max(coherence) AS coherence_max,
    avg(coherence_other_leaf ORDER BY hypernym) AS coherence_other_leaf,
    count(coherence) AS n_hypernyms,
    count(*) - count(coherence) AS n_undefined
FROM coherence
GROUP BY ALL
ORDER BY ALL;
