-- Cells of manifests with negatives strided, as manifest_cell has those of others.
-- Grain: one row per manifest, leaf and hypernym that is true or false of it.
CREATE OR REPLACE VIEW cell_derived AS
SELECT
    leaf.manifest_id,
    leaf.leaf_id,
    hypernym.hypernym_id,
    coalesce(cell.is_true, false) AS answer,
    leaf.held_out
        OR (hypernym.a * leaf.x + hypernym.b) % 2147483647
        < CASE WHEN answer THEN hypernym.below_true ELSE hypernym.below_false END AS held_out
FROM strided_leaf AS leaf
JOIN strided_hypernym AS hypernym USING (manifest_id)
LEFT JOIN strided_cell AS cell
    ON cell.manifest_id = leaf.manifest_id
    AND cell.leaf_id = leaf.leaf_id
    AND cell.hypernym_id = hypernym.hypernym_id
WHERE cell.is_true IS DISTINCT FROM false;
