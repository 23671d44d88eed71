-- Questions of manifests with negatives strided, as example has those of others: nothing of them
-- is stored, each follows from the tables strided_* and the places of the pictures.
-- Grain: one row per manifest and question. Ask for one manifest: very large ones have hundreds
--   of millions.
CREATE OR REPLACE VIEW example_derived AS
WITH picture AS NOT MATERIALIZED (
    SELECT
        manifest.manifest_id,
        manifest.mentions,
        manifest.train_leaf_negatives,
        strided.id_mask,
        image_place.image_id,
        image_place.split,
        image_place.place,
        leaf.leaf_id AS label_leaf_id,
        leaf.x,
        leaf.held_out AS leaf_held_out
    FROM strided
    JOIN manifest USING (manifest_id)
    JOIN image_place USING (dataset_id)
    JOIN manifest_label AS label
        ON label.manifest_id = manifest.manifest_id
        AND label.image_leaf_id = image_place.leaf_id
    JOIN strided_leaf AS leaf
        ON leaf.manifest_id = manifest.manifest_id AND leaf.leaf_id = label.label_leaf_id
),

-- Numbered by a join with a range of known length: of a list made by unnest the planner does not
-- know that it is long, and would build its hash table over the draws.
draw AS NOT MATERIALIZED (
    SELECT
        block.manifest_id,
        block.hypernym_id,
        block.split,
        (block.place + number.range * block.stride) % block.n_images AS place
    FROM strided_block AS block
    JOIN range(4096) AS number ON number.range < block.n_draws
),

hypernym_no AS NOT MATERIALIZED (
    SELECT
        picture.manifest_id,
        picture.id_mask,
        picture.mentions,
        picture.image_id,
        picture.split,
        picture.label_leaf_id,
        hypernym.hypernym_id AS asked_id,
        false AS answer,
        picture.leaf_held_out
            OR (hypernym.a * picture.x + hypernym.b) % 2147483647 < hypernym.below_false
            AS held_out,
        hypernym.taught,
        hypernym.in_training
    FROM draw
    JOIN picture USING (manifest_id, split, place)
    JOIN strided_hypernym AS hypernym
        ON hypernym.manifest_id = draw.manifest_id AND hypernym.hypernym_id = draw.hypernym_id
    ANTI JOIN strided_cell AS cell
        ON cell.manifest_id = draw.manifest_id
        AND cell.leaf_id = picture.label_leaf_id
        AND cell.hypernym_id = draw.hypernym_id
),

hypernym_yes AS NOT MATERIALIZED (
    SELECT
        picture.manifest_id,
        picture.id_mask,
        picture.mentions,
        picture.image_id,
        picture.split,
        picture.label_leaf_id,
        hypernym.hypernym_id AS asked_id,
        true AS answer,
        picture.leaf_held_out
            OR (hypernym.a * picture.x + hypernym.b) % 2147483647 < hypernym.below_true
            AS held_out,
        hypernym.taught,
        hypernym.in_training
    FROM picture
    JOIN strided_cell AS cell
        ON cell.manifest_id = picture.manifest_id AND cell.leaf_id = picture.label_leaf_id
    JOIN strided_hypernym AS hypernym
        ON hypernym.manifest_id = picture.manifest_id AND hypernym.hypernym_id = cell.hypernym_id
    WHERE cell.is_true
),

hypernym_question AS NOT MATERIALIZED (
    FROM hypernym_yes
    UNION ALL
    FROM hypernym_no
),

leaf_draw AS NOT MATERIALIZED (
    SELECT
        picture.manifest_id,
        picture.id_mask,
        picture.image_id,
        picture.split,
        picture.label_leaf_id,
        leaf.jumps,
        (leaf.start + picture.place * leaf.stride + leaf.step * unnest(range(least(
            CASE picture.split WHEN 'train' THEN picture.train_leaf_negatives ELSE 1 END,
            leaf.n_eligible
        )))) % leaf.n_eligible AS number
    FROM picture
    JOIN strided_leaf AS leaf
        ON leaf.manifest_id = picture.manifest_id AND leaf.leaf_id = picture.label_leaf_id
),

leaf_question AS NOT MATERIALIZED (
    SELECT
        leaf_draw.manifest_id,
        leaf_draw.id_mask,
        leaf_draw.image_id,
        leaf_draw.split,
        leaf_draw.label_leaf_id,
        asked.leaf_id AS asked_id,
        false AS answer,
        asked.in_training
    FROM leaf_draw
    JOIN strided_leaf AS asked
        ON asked.manifest_id = leaf_draw.manifest_id
        AND asked.place
            = leaf_draw.number
            + len(list_filter(leaf_draw.jumps, lambda jump: jump <= leaf_draw.number))
    UNION ALL
    SELECT
        picture.manifest_id,
        picture.id_mask,
        picture.image_id,
        picture.split,
        picture.label_leaf_id,
        asked.leaf_id AS asked_id,
        true AS answer,
        asked.in_training
    FROM picture
    JOIN strided_leaf AS asked
        ON asked.manifest_id = picture.manifest_id AND asked.leaf_id = picture.label_leaf_id
)

SELECT
    manifest_id,
    xor(image_id * 2147483648 + asked_id, id_mask) AS example_id,
    image_id,
    split,
    label_leaf_id,
    asked_id,
    'hypernym' AS kind,
    answer,
    held_out,
    CASE WHEN held_out THEN 'held_out' WHEN taught THEN 'seen' ELSE 'unasked' END AS question_set,
    split = 'train'
        AND in_training
        AND NOT (held_out AND (answer OR mentions <> 'drop_positives')) AS in_training
FROM hypernym_question
UNION ALL
SELECT
    manifest_id,
    xor(image_id * 2147483648 + asked_id, id_mask) AS example_id,
    image_id,
    split,
    label_leaf_id,
    asked_id,
    'leaf' AS kind,
    answer,
    NULL AS held_out,
    'leaf' AS question_set,
    split = 'train' AND in_training AS in_training
FROM leaf_question;
