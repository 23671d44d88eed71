-- Accuracy where all positions of a text are shifted: whether binding runs are tied to positions
-- Context and question are shifted by the same number, and nothing else changes: a run whose accuracy
--   falls reads something by absolute position, which interchange interventions do not see. With
--   rotary positions or none nothing can fall but by rounding; where accuracy is about chance to
--   begin with, fall says nothing.
-- Grain: one row per condition of runs (that differ by seeds only) and step, vocabulary, number of
--   objects and shift. Where a setting without a column differs, each is a row. Shifts that leave
--   learned positions have no row.
-- Units: shift: positions. accuracy: share of right answers to the two-hop question, of all words,
--   mean over runs; low, high: 95 % interval over seeds, Student's t, cut at 0 and 1, NULL with one;
--   runs of one start are averaged first where there are several starts. fall = accuracy of the
--   same scenes unshifted - accuracy; fall_low, fall_high: its interval, cut at -1 and 1. chance:
--   of a guess among the scene's items. n_questions: of all runs together.
-- Empty: no run was asked at shifted positions: `xmodal binding probe --kind shift` does that
-- Params: $run VARCHAR: the condition of this run, an id or its beginning; all when left out.
WITH latest AS (
    SELECT
        look.* EXCLUDE (n_examples),
        asked.* EXCLUDE (probe_id)
    FROM binding_shifted AS asked
    JOIN binding_look AS look USING (probe_id)
    QUALIFY row_number() OVER (
        PARTITION BY
            look.subject, look.vocabulary, look.settings, look.seed, asked.n_objects, asked.shift
        ORDER BY asked.n_questions DESC, look.created_at DESC, probe_id DESC
    ) = 1
),

of_run AS (
    SELECT
        run_id,
        step,
        vocabulary,
        settings,
        n_objects,
        shift,
        sum(n_questions)::BIGINT AS n_questions,
        sum(n_right) / sum(n_questions) AS accuracy
    FROM latest
    GROUP BY ALL
),

fallen AS (
    SELECT
        *,
        max(accuracy) FILTER (shift = 0) OVER (
            PARTITION BY run_id, step, vocabulary, settings, n_objects
        ) - accuracy AS fall
    FROM of_run
),

of_unit AS (
    SELECT
        run.condition,
        run.arm,
        run.position,
        run.start,
        run.scene_layout,
        run.encoder,
        run.recipe,
        one.* EXCLUDE (run_id, n_questions, accuracy, fall),
        one.n_objects <= run.n_to AS in_distribution,
        run.unit,
        avg(one.accuracy ORDER BY run_id) AS accuracy,
        CASE WHEN count(one.fall) = count(*) THEN avg(one.fall ORDER BY run_id) END AS fall,
        sum(one.n_questions) AS n_questions,
        count(*) AS n_runs
    FROM fallen AS one
    JOIN binding_condition AS run USING (run_id)
    GROUP BY ALL
),

of_condition AS (
    SELECT
        * EXCLUDE (unit, accuracy, fall, n_questions, n_runs),
        avg(accuracy ORDER BY unit) AS accuracy,
        seed_low(accuracy, unit, 0) AS low,
        seed_high(accuracy, unit, 1) AS high,
        CASE WHEN count(fall) = count(*) THEN avg(fall ORDER BY unit) END AS fall,
        CASE WHEN count(fall) = count(*) THEN seed_low(fall, unit, -1) END AS fall_low,
        CASE WHEN count(fall) = count(*) THEN seed_high(fall, unit, 1) END AS fall_high,
        1 / n_objects AS chance,
        sum(n_questions)::BIGINT AS n_questions,
        sum(n_runs)::BIGINT AS n_runs
    FROM of_unit
    GROUP BY ALL
)

SELECT * EXCLUDE (settings)
FROM of_condition
WHERE
    $run IS NULL
    OR condition IN (
        SELECT condition
        FROM binding_condition
        WHERE starts_with(run_id, $run::VARCHAR)
    )
ORDER BY
    arm,
    position,
    start,
    scene_layout,
    encoder,
    recipe,
    condition,
    step,
    vocabulary,
    settings,
    n_objects,
    shift;
