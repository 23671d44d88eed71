-- Leaks of a separation: each tie between an unseen class and a class that training sees
-- Grain: one row per separation, level, arm, unseen class, seen class and relation.
-- Units: distance in edges of WordNet's hypernym graph; relation is how the seen class is tied to
--   the unseen one: identity, name, lemma, hyponym_lemma, hypernym, hyponym, distance, cosine.
-- Empty: no separation is in the store, or nothing leaks at this level: `xmodal align split`
--   makes one, @separation counts
-- Params: $separation VARCHAR: a separation id or its beginning; $level VARCHAR; $arm VARCHAR; all
--   when left out.
SELECT
    separation_id,
    level,
    arm,
    unseen.name AS unseen,
    seen.name AS seen,
    relation,
    detail,
    leak.distance,
    cosine
FROM separation_leak AS leak
JOIN separation USING (separation_id)
JOIN concept AS unseen
    ON unseen.dataset_id = separation.dataset_id AND unseen.concept_id = leak.unseen_id
LEFT JOIN concept AS seen
    ON seen.dataset_id = separation.dataset_id AND seen.concept_id = leak.seen_id
WHERE
    starts_with(separation_id, coalesce($separation, ''))
    AND level = coalesce($level, level)
    AND arm = coalesce($arm, arm)
ORDER BY
    separation_id,
    list_position(['none', 'lemma', 'synset', 'subtree', 'branch', 'similar'], level),
    arm DESC,
    unseen,
    seen,
    relation;
