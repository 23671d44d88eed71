-- Every hypernym of a dataset with the leaves and the pictures it is a Yes of
-- Grain: one row per dataset and concept that questions are asked about (of relation hypernym or
--   another); those dropped for want of leaves are left out.
-- Units: n_ counts. n_leaves: leaves of which it is a Yes; n_train, n_validation, n_test:
--   pictures of these leaves by split; n_images: all of them.
-- Empty: no dataset is in the store: `xmodal taxonomy build` adds one
-- Params: $dataset VARCHAR: a dataset id or its beginning; all datasets when left out.
WITH pictured AS (
    SELECT
        dataset_id,
        concept_id,
        count(*) AS n_images,
        count(*) FILTER (split = 'train') AS n_train,
        count(*) FILTER (split = 'validation') AS n_validation,
        count(*) FILTER (split = 'test') AS n_test
    FROM image
    GROUP BY ALL
)

SELECT
    concept.dataset_id,
    concept.concept_id,
    concept.role AS relation,
    concept.name AS hypernym,
    concept.gloss,
    count(pair.leaf_id) AS n_leaves,
    coalesce(sum(pictured.n_images), 0)::BIGINT AS n_images,
    coalesce(sum(pictured.n_train), 0)::BIGINT AS n_train,
    coalesce(sum(pictured.n_validation), 0)::BIGINT AS n_validation,
    coalesce(sum(pictured.n_test), 0)::BIGINT AS n_test
FROM concept
LEFT JOIN leaf_hypernym AS pair
    ON pair.dataset_id = concept.dataset_id
    AND pair.hypernym_id = concept.concept_id
    AND pair.used
LEFT JOIN pictured
    ON pictured.dataset_id = concept.dataset_id AND pictured.concept_id = pair.leaf_id
WHERE
    concept.role NOT IN ('leaf', 'inner', 'synset')
    AND NOT concept.dropped
    AND ($dataset IS NULL OR starts_with(concept.dataset_id, $dataset::VARCHAR))
GROUP BY ALL
ORDER BY concept.dataset_id, relation, hypernym, concept.concept_id;
