-- How much was really held out, against the ratio that was asked for
-- S1's x-axis is nominal: a leaf drawn under one hypernym loses all its hypernyms, so that 10, 30,
--   50, 70 and 90 % take away 17.5, 48.2, 70.0, 85.4 and 95.9 % of its hypernym questions.
-- Grain: one row per own manifest; per released source, dataset, relation and design.
-- Units: ratios in [0, 1]. ratio_nominal: as asked for. ratio_cells, ratio_questions: held-out
--   share of the cells and of the hypernym questions of all splits (NULL: not released).
--   ratio_test: of the hypernym test questions, n_held_out of n_test; released ones: a run's, on
--   average. n_about_held_out: those of n_held_out that ask a hypernym whose Yes are all
--   held out; own held-out questions all ask held-out cells, but S1's mostly do not.
--   Released runs without the count of some question are left out.
-- Empty: no manifest and no released run is in the store: `xmodal manifest build` makes one,
--   `xmodal import s1 PATH` reads the paper's
-- Params: none
WITH own_test AS (
    SELECT
        manifest_id,
        asked_id,
        count(*) FILTER (held_out) AS n_held_out,
        count(*) FILTER (answer) AS n_yes,
        count(*) FILTER (answer AND held_out) AS n_yes_held_out,
        count(*) AS n_test
    FROM example
    WHERE kind = 'hypernym' AND split = 'test'
    GROUP BY manifest_id, asked_id
),

own AS (
    SELECT
        manifest_id,
        sum(n_held_out)::DOUBLE AS n_held_out,
        sum(n_test)::DOUBLE AS n_test,
        sum(CASE WHEN n_yes > 0 AND n_yes_held_out = n_yes THEN n_held_out ELSE 0 END)::DOUBLE AS n_about_held_out
    FROM own_test
    GROUP BY manifest_id
),

released_by_run AS (
    SELECT
        run_id,
        sum(n_questions) FILTER (question_set = 'held_out_s1') AS n_held_out,
        sum(n_questions) AS n_test,
        coalesce(sum(n_questions) FILTER (question_set = 'held_out_s1' AND whole), 0)
            AS n_about_held_out
    FROM released_score
    WHERE question_set IN ('held_out_s1', 'seen_s1')
    GROUP BY run_id
    HAVING count(n_questions) = count(*)
)

SELECT
    'own' AS source,
    manifest.dataset_id AS dataset,
    manifest.relation,
    manifest.design,
    manifest.unit,
    manifest.ratio AS ratio_nominal,
    manifest.n_held_out_hypernyms,
    manifest.shuffle,
    manifest.seed,
    manifest.manifest_id,
    manifest.ratio_realised_cells AS ratio_cells,
    manifest.ratio_realised_questions AS ratio_questions,
    own.n_held_out / nullif(own.n_test, 0) AS ratio_test,
    own.n_held_out,
    own.n_test,
    own.n_about_held_out,
    (SELECT count(*) FROM run WHERE run.manifest_id = manifest.manifest_id) AS n_runs
FROM manifest
LEFT JOIN own USING (manifest_id)
UNION ALL BY NAME
SELECT
    source,
    dataset,
    relation,
    design,
    unit,
    ratio AS ratio_nominal,
    n_held_out_hypernyms,
    shuffle,
    avg(n_held_out / nullif(n_test, 0) ORDER BY run_id) AS ratio_test,
    avg(n_held_out ORDER BY run_id) AS n_held_out,
    avg(n_test ORDER BY run_id) AS n_test,
    avg(n_about_held_out ORDER BY run_id) AS n_about_held_out,
    count(*) AS n_runs
FROM released_run
JOIN released_by_run USING (run_id)
GROUP BY source, dataset, relation, design, unit, ratio, n_held_out_hypernyms, shuffle
ORDER BY ALL;
