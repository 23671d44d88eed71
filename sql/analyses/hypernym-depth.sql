-- F1 by how general the hypernym is: its WordNet depth and its distance from the leaves
-- Own and released runs alike. S1's files give no depth: theirs is that of the synset that the
--   import gives to each hypernym. Their leaves are those of distance_dataset: $dataset, else the
--   one dataset of source things in this store; with several, and none chosen, there is none.
-- Grain: one row per condition, question_set (held_out, seen, unasked, held_out_s1, seen_s1) and
--   hypernym.
-- Units: depth: least number of steps from WordNet's root (entity is 0; NULL without a synset).
--   distance: least number of WordNet's hypernym steps from a leaf's synset up to the hypernym's,
--   mean over the n_on_path of its n_leaves used leaves that have such a path; what only a list
--   says is no step. NULL where none has: always for a hypernym without a synset. A mean over few
--   of many leaves is not that of the hypernym. distance_dataset: whose leaves these are.
--   macro_f1, blind_f1 in [0, 1], mean over runs.
-- Empty: the store holds no finished run and no released one: `xmodal train` makes a run,
--   `xmodal import s1 PATH` reads the paper's
-- Params: $question_set VARCHAR: one question set; all when left out. $dataset VARCHAR: a
--   dataset's id or its unique beginning, whose leaves stand for those of released runs.
WITH RECURSIVE chosen AS (
    SELECT min(dataset_id) AS dataset_id
    FROM dataset
    WHERE
        EXISTS (FROM released_run)
        AND CASE
            WHEN $dataset IS NULL THEN source = 'things'
            ELSE starts_with(dataset_id, $dataset::VARCHAR)
        END
    HAVING count(*) = 1
),

pair AS (
    SELECT dataset_id, relation, leaf_id, hypernym_id
    FROM leaf_hypernym
    WHERE
        used
        AND dataset_id IN (SELECT dataset_id FROM run UNION SELECT dataset_id FROM chosen)
),

step AS (
    SELECT
        edge.dataset_id,
        edge.hyponym_id,
        edge.hypernym_id,
        -- a concept may stand beside another of its own synset
        coalesce(low.synset <> high.synset, true)::INTEGER AS n_edges
    FROM edge
    JOIN concept AS low
        ON low.dataset_id = edge.dataset_id AND low.concept_id = edge.hyponym_id
    JOIN concept AS high
        ON high.dataset_id = edge.dataset_id AND high.concept_id = edge.hypernym_id
    WHERE edge.source = 'wordnet'
),

climb AS (
    SELECT DISTINCT dataset_id, leaf_id, leaf_id AS concept_id, 0 AS n_edges
    FROM pair
    UNION
    SELECT
        climb.dataset_id,
        climb.leaf_id,
        step.hypernym_id AS concept_id,
        climb.n_edges + step.n_edges AS n_edges
    FROM climb
    JOIN step ON step.dataset_id = climb.dataset_id AND step.hyponym_id = climb.concept_id
),

path AS (
    SELECT dataset_id, leaf_id, concept_id AS hypernym_id, min(n_edges) AS n_edges
    FROM climb
    GROUP BY ALL
),

place AS (
    SELECT
        pair.dataset_id,
        pair.relation,
        concept.name AS hypernym,
        concept.depth,
        avg(path.n_edges) AS distance,
        count(path.n_edges) AS n_on_path,
        count(*) AS n_leaves
    FROM pair
    JOIN concept
        ON concept.dataset_id = pair.dataset_id AND concept.concept_id = pair.hypernym_id
    LEFT JOIN path
        ON path.dataset_id = pair.dataset_id
        AND path.leaf_id = pair.leaf_id
        AND path.hypernym_id = pair.hypernym_id
    GROUP BY ALL
),

known AS (
    SELECT
        'own' AS place_source,
        dataset_id AS dataset,
        relation,
        hypernym,
        depth,
        distance,
        n_on_path,
        n_leaves,
        dataset_id AS distance_dataset
    FROM place
    UNION ALL
    SELECT
        released_hypernym.source AS place_source,
        NULL AS dataset,
        'hypernym' AS relation,
        released_hypernym.hypernym,
        released_hypernym.depth,
        place.distance,
        place.n_on_path,
        place.n_leaves,
        place.dataset_id AS distance_dataset
    FROM released_hypernym
    LEFT JOIN place
        ON place.hypernym = released_hypernym.hypernym
        AND place.relation = 'hypernym'
        AND place.dataset_id IN (FROM chosen)
)

SELECT
    seed_mean.* EXCLUDE (
        hidden_settings, shared_settings, macro_f1, blind_f1, balanced_accuracy, n_runs
    ),
    known.depth,
    known.distance,
    known.n_on_path,
    known.n_leaves,
    known.distance_dataset,
    seed_mean.macro_f1,
    seed_mean.blind_f1,
    seed_mean.n_runs
FROM seed_mean
LEFT JOIN known
    ON known.place_source = seed_mean.source
    AND known.dataset IS NOT DISTINCT FROM CASE WHEN source = 'own' THEN seed_mean.dataset END
    AND known.relation = seed_mean.relation
    AND known.hypernym = seed_mean.hypernym
WHERE $question_set IS NULL OR seed_mean.question_set = $question_set::VARCHAR
ORDER BY ALL;
