-- Accuracy of the two-hop question at one moment of a run, within and beyond what it was trained
-- on.
-- Grain: run_id, step, context, vocabulary.
-- Units: in_accuracy, out_accuracy: share of right answers, mean over the object counts that
--   training shows and over the larger ones, each count the same; NULL where none was asked.
--   in_objects, out_objects: these counts. in_chance, out_chance: of a guess among the scene's
--   items, 1 / objects. is_last: the last step at which the run answered anything.
CREATE OR REPLACE VIEW binding_score AS
WITH last_step AS (
    SELECT run_id, max(step) AS last_step
    FROM binding_accuracy
    GROUP BY run_id
)

SELECT
    run_id,
    step,
    stage,
    ends_stage,
    step = last_step AS is_last,
    context,
    vocabulary,
    avg(n_right / n_questions ORDER BY n_objects) FILTER (in_distribution) AS in_accuracy,
    avg(n_right / n_questions ORDER BY n_objects) FILTER (NOT in_distribution) AS out_accuracy,
    avg(1 / n_objects ORDER BY n_objects) FILTER (in_distribution) AS in_chance,
    avg(1 / n_objects ORDER BY n_objects) FILTER (NOT in_distribution) AS out_chance,
    list(n_objects ORDER BY n_objects) FILTER (in_distribution) AS in_objects,
    list(n_objects ORDER BY n_objects) FILTER (NOT in_distribution) AS out_objects
FROM binding_accuracy
JOIN last_step USING (run_id)
WHERE question = 'two'
GROUP BY ALL;
