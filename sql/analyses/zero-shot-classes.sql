-- Zero-shot accuracy of alignments, class by class
-- Grain: one row per condition (runs that differ by seeds only), task, number of candidates and
--   class, the worst first within a condition.
--   Where a setting without a column differs, such as the LM's layer, each is a row.
-- Units: top1, top5: share of the class's pictures whose class is the first, or among the first
--   five, mean over runs; edges: mean edges of WordNet's hypernym graph from the class to the
--   candidate that stands first, NULL where none has a place in it. n_pictures: of a run.
-- Empty: no alignment was evaluated on pictures of classes: `xmodal align evaluate` does that
-- Params: $task VARCHAR: zero-shot when left out; seen, generalised. $level VARCHAR: one level;
--   all when left out. $run VARCHAR: conditions of this run, an id or its beginning; all when
--   left out.
WITH class_mean AS (
    SELECT *
    FROM align_seed_mean
    WHERE task = coalesce($task::VARCHAR, 'zero-shot')
),

class_name AS (
    SELECT DISTINCT
        align_condition.condition,
        concept.concept_id AS class_id,
        concept.name
    FROM align_condition
    JOIN align_evaluation USING (evaluation_id)
    JOIN concept ON concept.dataset_id = align_evaluation.dataset_id
)

SELECT
    setting.trained_on,
    setting.separation_id,
    setting.level,
    setting.arm,
    setting.lm,
    setting.lm_init,
    setting.lm_kind,
    setting.lm_pooling,
    setting.encoder,
    setting.recipe,
    setting.n_pairs,
    setting.asked_on,
    setting.names,
    setting.class_list,
    setting.split,
    task,
    class_id,
    class_name.name AS class,
    class_mean.unseen,
    top1,
    1 / n_candidates AS chance,
    top5,
    edges,
    n_queries::BIGINT AS n_pictures,
    class_mean.n_runs
FROM class_mean
JOIN align_setting AS setting USING (condition)
LEFT JOIN class_name USING (condition, class_id)
WHERE
    ($level IS NULL OR level = $level::VARCHAR)
    AND (
        $run IS NULL
        OR len(list_filter(run_ids, lambda one: starts_with(one, $run::VARCHAR))) > 0
    )
ORDER BY
    trained_on,
    separation_id,
    level_number(level),
    arm DESC,
    lm,
    lm_init,
    lm_pooling,
    encoder,
    recipe,
    n_pairs,
    asked_on,
    names,
    class_list,
    split,
    condition,
    n_candidates,
    top1,
    class_id;
