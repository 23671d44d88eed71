-- What training shows of every hypernym under a manifest
-- Grain: one row per manifest and hypernym that is asked.
-- n_yes, n_no: training questions that ask the hypernym, by answer. n_word: training questions
--   whose text holds its word, whole, whatever they ask ("farm animal" holds "animal").
-- ratio_cells, ratio_questions: held-out share, 0 to 1, of its (leaf, hypernym) cells and of
--   its questions about training images before the ablation.
-- n_test_yes, n_test_no: held-out test questions; is_single_class: some, but of one answer only,
--   so that no F1 is defined. NULL ratio: nothing to count.
-- Params: $manifest VARCHAR: a manifest id or its beginning; all manifests when left out.
WITH chosen AS (
    SELECT * FROM manifest
    WHERE $manifest IS NULL OR starts_with(manifest_id, $manifest::VARCHAR)
),

hypernym AS (
    SELECT
        chosen.manifest_id,
        concept.dataset_id,
        concept.concept_id AS hypernym_id,
        concept.name,
        ' ' || trim(regexp_replace(lower(concept.name), '[^a-z0-9]+', ' ', 'g')) || ' ' AS word
    FROM chosen
    JOIN concept USING (dataset_id)
    WHERE concept.role = 'hypernym' AND NOT concept.dropped
),

asked AS (
    SELECT
        example.manifest_id,
        example.asked_id,
        count(*) FILTER (in_training AND answer) AS n_yes,
        count(*) FILTER (in_training AND NOT answer) AS n_no,
        count(*) FILTER (in_training) AS n_training,
        count(*) FILTER (split = 'train' AND kind = 'hypernym') AS n_before,
        count(*) FILTER (split = 'train' AND held_out) AS n_before_held_out,
        count(*) FILTER (split = 'test' AND question_set = 'held_out' AND answer) AS n_test_yes,
        count(*) FILTER (split = 'test' AND question_set = 'held_out' AND NOT answer) AS n_test_no
    FROM example
    JOIN chosen USING (manifest_id)
    GROUP BY example.manifest_id, example.asked_id
),

phrase AS (
    SELECT
        asked.manifest_id,
        asked.n_training,
        ' ' || trim(regexp_replace(lower(concept.phrase), '[^a-z0-9]+', ' ', 'g')) || ' ' AS text
    FROM asked
    JOIN chosen USING (manifest_id)
    JOIN concept
        ON concept.dataset_id = chosen.dataset_id AND concept.concept_id = asked.asked_id
),

mention AS (
    SELECT hypernym.manifest_id, hypernym.hypernym_id, sum(phrase.n_training)::BIGINT AS n_word
    FROM hypernym
    JOIN phrase
        ON phrase.manifest_id = hypernym.manifest_id AND contains(phrase.text, hypernym.word)
    GROUP BY hypernym.manifest_id, hypernym.hypernym_id
),

cell AS (
    SELECT
        manifest_id,
        hypernym_id,
        count(*) AS n_cells,
        count(*) FILTER (held_out) / count(*) AS ratio_cells
    FROM manifest_cell
    JOIN chosen USING (manifest_id)
    GROUP BY manifest_id, hypernym_id
)

SELECT
    hypernym.manifest_id,
    chosen.design,
    chosen.ratio,
    chosen.shuffle,
    hypernym.name AS hypernym,
    coalesce(asked.n_yes, 0) AS n_yes,
    coalesce(asked.n_no, 0) AS n_no,
    coalesce(mention.n_word, 0) AS n_word,
    coalesce(cell.n_cells, 0) AS n_cells,
    cell.ratio_cells,
    asked.n_before_held_out / nullif(asked.n_before, 0) AS ratio_questions,
    coalesce(asked.n_test_yes, 0) AS n_test_yes,
    coalesce(asked.n_test_no, 0) AS n_test_no,
    (coalesce(asked.n_test_yes, 0) = 0) <> (coalesce(asked.n_test_no, 0) = 0) AS is_single_class
FROM hypernym
JOIN chosen USING (manifest_id)
LEFT JOIN asked
    ON asked.manifest_id = hypernym.manifest_id AND asked.asked_id = hypernym.hypernym_id
LEFT JOIN mention
    ON mention.manifest_id = hypernym.manifest_id
    AND mention.hypernym_id = hypernym.hypernym_id
LEFT JOIN cell
    ON cell.manifest_id = hypernym.manifest_id AND cell.hypernym_id = hypernym.hypernym_id
ORDER BY hypernym.manifest_id, hypernym.name;
