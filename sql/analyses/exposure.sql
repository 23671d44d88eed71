-- What training shows of every hypernym, or target of the relation, under a manifest
-- Grain: one row per manifest and hypernym that is not dropped; under another relation its
--   targets stand where the hypernyms do.
-- n_yes, n_no: training questions that ask the hypernym, by answer. n_word: occurrences of its
--   word, whole, in the asked forms of all training questions ("farm animal" holds "animal").
-- ratio_cells: held-out share, 0 to 1, of its true and false (leaf, hypernym) cells.
-- ratio_questions: the same of its questions in all splits. NULL ratio: nothing to count, or
--   a manifest imported without its sidecar, whose files lack the questions taken from training.
-- held_out_single_class, seen_single_class: it has test questions of the set, but with one
--   true answer only, so that no F1 is defined.
-- Empty: no manifest is in the store: `xmodal manifest build` makes one
-- Params: $manifest VARCHAR: a manifest id or its beginning; all manifests when left out.
WITH chosen AS (
    SELECT *
    FROM manifest
    WHERE $manifest IS NULL OR starts_with(manifest_id, $manifest::VARCHAR)
),

word AS (
    SELECT
        dataset_id,
        concept_id,
        name,
        role,
        role NOT IN ('leaf', 'inner', 'synset') AND NOT dropped AS is_hypernym,
        regexp_extract_all(lower(name), '[\p{L}\p{N}_]+') AS name_words,
        regexp_extract_all(lower(phrase), '[\p{L}\p{N}_]+') AS phrase_words
    FROM concept
    WHERE dataset_id IN (SELECT dataset_id FROM chosen)
),

mention AS (
    SELECT
        hypernym.dataset_id,
        hypernym.concept_id AS hypernym_id,
        asked.concept_id AS asked_id,
        len(list_filter(
            range(1, len(asked.phrase_words) - len(hypernym.name_words) + 2),
            lambda i: asked.phrase_words[i : i + len(hypernym.name_words) - 1]
                = hypernym.name_words
        )) AS n_in_phrase
    FROM word AS hypernym
    JOIN word AS asked USING (dataset_id)
    WHERE hypernym.is_hypernym AND len(hypernym.name_words) > 0 AND n_in_phrase > 0
),

listed AS (
    SELECT
        manifest_id,
        example.asked_id,
        count(*) FILTER (in_training) AS n_training,
        count(*) FILTER (in_training AND kind = 'hypernym' AND answer) AS n_yes,
        count(*) FILTER (in_training AND kind = 'hypernym' AND NOT answer) AS n_no,
        count(*) FILTER (kind = 'hypernym') AS n_questions,
        count(*) FILTER (held_out) AS n_held_out,
        count(*) FILTER (split = 'test' AND question_set = 'held_out' AND answer) AS held_out_yes,
        count(*) FILTER (split = 'test' AND question_set = 'held_out' AND NOT answer)
            AS held_out_no,
        count(*) FILTER (split = 'test' AND question_set = 'seen' AND answer) AS seen_yes,
        count(*) FILTER (split = 'test' AND question_set = 'seen' AND NOT answer) AS seen_no
    FROM example
    JOIN chosen USING (manifest_id)
    GROUP BY ALL
),

drawn AS (
    SELECT
        draw.manifest_id,
        draw.hypernym_id AS asked_id,
        draw.split,
        hypernym.in_training AND draw.split = 'train' AS is_training,
        hypernym.taught AND draw.split = 'test' AS is_seen,
        draw.n_yes,
        draw.n_no,
        draw.n_yes_held_out AS yes_out,
        draw.n_no_held_out AS no_out,
        CASE WHEN chosen.mentions = 'drop_positives' THEN 0 ELSE no_out END AS no_dropped
    FROM strided_draw AS draw
    JOIN chosen USING (manifest_id)
    JOIN strided_hypernym AS hypernym
        ON hypernym.manifest_id = draw.manifest_id AND hypernym.hypernym_id = draw.hypernym_id
),

question AS (
    FROM listed
    UNION ALL
    SELECT
        manifest_id,
        asked_id,
        coalesce(sum(n_yes - yes_out + n_no - no_dropped) FILTER (is_training), 0) AS n_training,
        coalesce(sum(n_yes - yes_out) FILTER (is_training), 0) AS n_yes,
        coalesce(sum(n_no - no_dropped) FILTER (is_training), 0) AS n_no,
        sum(n_yes + n_no) AS n_questions,
        sum(yes_out + no_out) AS n_held_out,
        sum(yes_out) FILTER (split = 'test') AS held_out_yes,
        sum(no_out) FILTER (split = 'test') AS held_out_no,
        coalesce(sum(n_yes - yes_out) FILTER (is_seen), 0) AS seen_yes,
        coalesce(sum(n_no - no_out) FILTER (is_seen), 0) AS seen_no
    FROM drawn
    GROUP BY ALL
    UNION ALL
    SELECT manifest_id, leaf_id, CASE WHEN in_training THEN n_yes + n_no ELSE 0 END,
        0, 0, 0, 0, 0, 0, 0, 0
    FROM strided_leaf
    JOIN chosen USING (manifest_id)
),

mentioned AS (
    SELECT
        chosen.manifest_id,
        mention.hypernym_id,
        sum(mention.n_in_phrase * question.n_training)::BIGINT AS n_word
    FROM mention
    JOIN chosen USING (dataset_id)
    JOIN question
        ON question.manifest_id = chosen.manifest_id AND question.asked_id = mention.asked_id
    GROUP BY ALL
),

cell AS (
    SELECT
        manifest_id,
        hypernym_id,
        count(*) AS n_cells,
        count(*) FILTER (held_out) AS n_held_out
    FROM manifest_cell
    JOIN chosen USING (manifest_id)
    GROUP BY ALL
    UNION ALL
    SELECT manifest_id, hypernym_id, n_cells, n_held_out
    FROM strided_hypernym
    JOIN chosen USING (manifest_id)
)

SELECT
    chosen.manifest_id,
    chosen.design,
    chosen.shuffle,
    hypernym.name AS hypernym,
    coalesce(question.n_yes, 0)::BIGINT AS n_yes,
    coalesce(question.n_no, 0)::BIGINT AS n_no,
    coalesce(mentioned.n_word, 0) AS n_word,
    coalesce(cell.n_cells, 0) AS n_cells,
    chosen.ratio AS ratio_nominal,
    cell.n_held_out / nullif(cell.n_cells, 0) AS ratio_cells,
    coalesce(question.n_questions, 0)::BIGINT AS n_questions,
    CASE WHEN chosen.design <> 'imported' OR ratio_cells IN (0, 1) THEN
        question.n_held_out / nullif(question.n_questions, 0)
    END AS ratio_questions,
    coalesce((held_out_yes > 0) <> (held_out_no > 0), false) AS held_out_single_class,
    coalesce((seen_yes > 0) <> (seen_no > 0), false) AS seen_single_class
FROM chosen
JOIN word AS hypernym
    ON hypernym.dataset_id = chosen.dataset_id
    AND hypernym.is_hypernym
    AND hypernym.role = chosen.relation
LEFT JOIN question
    ON question.manifest_id = chosen.manifest_id AND question.asked_id = hypernym.concept_id
LEFT JOIN mentioned
    ON mentioned.manifest_id = chosen.manifest_id
    AND mentioned.hypernym_id = hypernym.concept_id
LEFT JOIN cell
    ON cell.manifest_id = chosen.manifest_id AND cell.hypernym_id = hypernym.concept_id
ORDER BY chosen.manifest_id, hypernym.name;
