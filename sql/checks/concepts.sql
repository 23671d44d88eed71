-- Concepts that rows name and that their dataset does not have.
-- Grain: one row per column that names such concepts; missing: how many; example: one of them.
WITH named AS (
    SELECT 'edge.hyponym_id' AS place, dataset_id, hyponym_id AS concept_id
    FROM edge
    UNION ALL
    SELECT 'edge.hypernym_id' AS place, dataset_id, hypernym_id AS concept_id
    FROM edge
    UNION ALL
    SELECT 'leaf_hypernym.leaf_id' AS place, dataset_id, leaf_id AS concept_id
    FROM leaf_hypernym
    UNION ALL
    SELECT 'leaf_hypernym.hypernym_id' AS place, dataset_id, hypernym_id AS concept_id
    FROM leaf_hypernym
    UNION ALL
    SELECT 'image.concept_id' AS place, dataset_id, concept_id
    FROM image
    UNION ALL
    SELECT 'manifest_cell.leaf_id' AS place, dataset_id, leaf_id AS concept_id
    FROM manifest_cell
    JOIN manifest USING (manifest_id)
    UNION ALL
    SELECT 'manifest_cell.hypernym_id' AS place, dataset_id, hypernym_id AS concept_id
    FROM manifest_cell
    JOIN manifest USING (manifest_id)
    UNION ALL
    SELECT 'manifest_label.image_leaf_id' AS place, dataset_id, image_leaf_id AS concept_id
    FROM manifest_label
    JOIN manifest USING (manifest_id)
    UNION ALL
    SELECT 'manifest_label.label_leaf_id' AS place, dataset_id, label_leaf_id AS concept_id
    FROM manifest_label
    JOIN manifest USING (manifest_id)
    UNION ALL
    SELECT 'example.label_leaf_id' AS place, dataset_id, label_leaf_id AS concept_id
    FROM example
    JOIN manifest USING (manifest_id)
    UNION ALL
    SELECT 'example.asked_id' AS place, dataset_id, asked_id AS concept_id
    FROM example
    JOIN manifest USING (manifest_id)
    UNION ALL
    SELECT 'image_place.leaf_id' AS place, dataset_id, leaf_id AS concept_id
    FROM image_place
    UNION ALL
    SELECT 'strided_cell.leaf_id' AS place, dataset_id, leaf_id AS concept_id
    FROM strided_cell
    JOIN manifest USING (manifest_id)
    UNION ALL
    SELECT 'strided_cell.hypernym_id' AS place, dataset_id, hypernym_id AS concept_id
    FROM strided_cell
    JOIN manifest USING (manifest_id)
    UNION ALL
    SELECT 'strided_leaf.leaf_id' AS place, dataset_id, leaf_id AS concept_id
    FROM strided_leaf
    JOIN manifest USING (manifest_id)
    UNION ALL
    SELECT 'strided_hypernym.hypernym_id' AS place, dataset_id, hypernym_id AS concept_id
    FROM strided_hypernym
    JOIN manifest USING (manifest_id)
    UNION ALL
    SELECT 'strided_draw.hypernym_id' AS place, dataset_id, hypernym_id AS concept_id
    FROM strided_draw
    JOIN manifest USING (manifest_id)
    UNION ALL
    SELECT 'strided_block.hypernym_id' AS place, dataset_id, hypernym_id AS concept_id
    FROM strided_block
    JOIN manifest USING (manifest_id)
    UNION ALL
    SELECT 'separation_class.class_id' AS place, dataset_id, class_id AS concept_id
    FROM separation_class
    JOIN separation USING (separation_id)
    UNION ALL
    SELECT 'separation_class.unseen_id' AS place, dataset_id, unseen_id AS concept_id
    FROM separation_class
    JOIN separation USING (separation_id)
    UNION ALL
    SELECT 'separation_leak.unseen_id' AS place, dataset_id, unseen_id AS concept_id
    FROM separation_leak
    JOIN separation USING (separation_id)
    UNION ALL
    SELECT 'separation_leak.seen_id' AS place, dataset_id, seen_id AS concept_id
    FROM separation_leak
    JOIN separation USING (separation_id)
    UNION ALL
    SELECT 'text_probe_answer.leaf_id' AS place, dataset_id, leaf_id AS concept_id
    FROM text_probe_answer
    JOIN text_probe USING (probe_id)
    UNION ALL
    SELECT 'text_probe_answer.hypernym_id' AS place, dataset_id, hypernym_id AS concept_id
    FROM text_probe_answer
    JOIN text_probe USING (probe_id)
    UNION ALL
    SELECT 'align_answer.class_id' AS place, dataset_id, class_id AS concept_id
    FROM align_answer
    JOIN align_evaluation USING (evaluation_id)
    WHERE dataset_id IS NOT NULL
),

each_once AS (
    SELECT DISTINCT place, dataset_id, concept_id
    FROM named
    WHERE concept_id IS NOT NULL
)

SELECT place, count(*) AS missing, CAST(min(concept_id) AS VARCHAR) AS example
FROM each_once
ANTI JOIN concept USING (dataset_id, concept_id)
GROUP BY place
ORDER BY place;
