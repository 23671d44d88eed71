-- Hypernyms whose questions have one true answer only, and what they do to the mean
-- S1 keeps them in the mean, where the blind guess scores 1; macro_f1 leaves them out.
-- Grain: one row per condition and question_set, own and released; leaf questions left out.
-- Units: n_groups: groups of one run and one hypernym; n_single_class of them have true answers
--   of one class, a share of single_class_ratio; NULL where the release does not say. hypernyms:
--   the names of these. macro_f1, blind_f1 in [0, 1]: without them; macro_f1_s1, blind_f1_s1:
--   with them, as S1 has it (mean F1 over the labels that occur). Mean over hypernyms, then runs.
-- Empty: the store holds no finished run and no released one: `xmodal train` makes a run,
--   `xmodal import s1 PATH` reads the paper's
-- Params: none
WITH by_run AS (
    SELECT
        run_id,
        question_set,
        count(*) AS n_groups,
        count(single_class) AS n_known,
        count(*) FILTER (single_class) AS n_single_class,
        list(hypernym) FILTER (single_class) AS hypernyms,
        avg(macro_f1_s1 ORDER BY hypernym) FILTER (NOT single_class) AS macro_f1,
        avg(blind_f1_s1 ORDER BY hypernym) FILTER (NOT single_class) AS blind_f1,
        avg(macro_f1_s1 ORDER BY hypernym) AS macro_f1_s1,
        avg(blind_f1_s1 ORDER BY hypernym) AS blind_f1_s1
    FROM score
    WHERE hypernym IS NOT NULL
    GROUP BY run_id, question_set
),

condition AS (
    SELECT
        run_condition.* EXCLUDE (run_id, shared_settings),
        question_set,
        sum(n_groups)::BIGINT AS n_groups,
        CASE WHEN sum(n_known) = sum(n_groups) THEN sum(n_single_class)::BIGINT END
            AS n_single_class,
        list_sort(list_distinct(flatten(list(coalesce(hypernyms, []))))) AS hypernyms,
        avg(macro_f1 ORDER BY run_id) AS macro_f1,
        avg(blind_f1 ORDER BY run_id) AS blind_f1,
        avg(macro_f1_s1 ORDER BY run_id) AS macro_f1_s1,
        avg(blind_f1_s1 ORDER BY run_id) AS blind_f1_s1,
        count(*) AS n_runs
    FROM by_run
    JOIN run_condition USING (run_id)
    GROUP BY ALL
)

SELECT
    * EXCLUDE (
        hidden_settings, hypernyms, macro_f1, blind_f1, macro_f1_s1, blind_f1_s1, n_runs
    ),
    n_single_class / n_groups AS single_class_ratio,
    CASE WHEN n_single_class IS NOT NULL THEN array_to_string(hypernyms, ', ') END AS hypernyms,
    macro_f1,
    blind_f1,
    macro_f1_s1,
    blind_f1_s1,
    n_runs
FROM condition
ORDER BY ALL;
