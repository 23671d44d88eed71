-- Pictures that rows name and that their dataset does not have.
-- Grain: one row per column that names such pictures; missing: how many; example: one of them.
WITH named AS (
    SELECT DISTINCT 'example.image_id' AS place, dataset_id, image_id
    FROM example
    JOIN manifest USING (manifest_id)
    UNION ALL
    SELECT 'image_place.image_id' AS place, dataset_id, image_id
    FROM image_place
    UNION ALL
    SELECT DISTINCT 'skipped_image.image_id' AS place, dataset_id, image_id
    FROM skipped_image
    JOIN feature_set USING (feature_set_id)
)

SELECT place, count(*) AS missing, CAST(min(image_id) AS VARCHAR) AS example
FROM named
ANTI JOIN image USING (dataset_id, image_id)
GROUP BY place
ORDER BY place;
