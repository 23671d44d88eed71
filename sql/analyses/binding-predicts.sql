-- Whether mechanism predicts accuracy with more objects than trained with
-- Correlation over runs of the symbolic share at the peak layer with the text accuracy beyond
--   training, each run at the last step it was looked at; @binding-points lists the runs.
-- Near circular where decoders fail: interventions count all examples, and where most base answers
--   are wrong at the look's number of objects, the share follows accuracy by construction. So looks
--   are taken at no more objects than training shows (in_distribution), of runs that answer at
--   least 0.9 right there (least_accuracy: the lowest of them). r_layer0 is the control: the same
--   with the share at layer 0, the bare queried word, which cannot bind. As high as r, it means
--   that r says nothing about binding; NULL where that share is the same for all runs, as it
--   is where all answer right.
-- Grain: one row per size of the decoder, objects trained with and asked, and context, vocabulary
--   and number of objects of the look. Where a setting without a column differs, each is a row.
-- Units: r: Pearson's correlation, in [-1, 1]; NULL with fewer than two runs or where one side is
--   constant. low, high: its 95 % interval by Fisher's z; NULL with fewer than four runs and
--   where r is 1 or -1. within_r, within_low, within_high: the same of what differs between the
--   runs of one condition (that differ by seeds only), pooled: what arms have in common takes no
--   part. n_runs_layer0: runs behind r_layer0, those of n_runs with such a share. n_failed: runs left
--   out as they answer fewer than 0.9 right with so many objects; n_left_out: others without a
--   peak, or without an accuracy at that step.
-- Empty: no run was looked at by interchange interventions at as many objects as training shows:
--   `xmodal binding probe` does that
-- Params: $looks VARCHAR: within (no more objects than training shows, runs that can do the task),
--   when left out; all (any number of objects, failing runs too: near circular).
WITH point AS (
    SELECT
        run.n_layers,
        run.width,
        run.n_heads,
        run.n_from,
        run.n_to,
        point.context,
        point.vocabulary,
        point.as_published,
        point.settings,
        point.n_objects,
        point.in_distribution,
        point.out_objects,
        point.run_id,
        run.condition,
        point.accuracy,
        point.symbolic_share AS x,
        point.layer0_share AS x0,
        point.out_accuracy AS y,
        $looks IS DISTINCT FROM 'all' AND point.accuracy < 0.9 AS is_failed,
        x IS NOT NULL
        AND y IS NOT NULL
        AND ($looks = 'all' OR point.accuracy >= 0.9) IS TRUE AS is_whole
    FROM binding_share AS point
    JOIN binding_condition AS run USING (run_id)
    WHERE point.is_last AND (point.in_distribution OR $looks = 'all')
),

centred AS (
    SELECT
        *,
        -- equal values differ from their mean by rounding alone
        round(x - avg(x) OVER same, 12) AS x_off,
        round(y - avg(y) OVER same, 12) AS y_off
    FROM point
    WINDOW same AS (
        PARTITION BY
            context, vocabulary, as_published, settings, n_objects, out_objects, condition,
            is_whole
    )
),

listed AS (
    SELECT
        n_layers,
        width,
        n_heads,
        n_from,
        n_to,
        context,
        vocabulary,
        as_published,
        settings,
        n_objects,
        in_distribution,
        out_objects,
        list(x ORDER BY run_id) FILTER (is_whole) AS xs,
        list(y ORDER BY run_id) FILTER (is_whole) AS ys,
        list(x_off ORDER BY run_id) FILTER (is_whole) AS x_offs,
        list(y_off ORDER BY run_id) FILTER (is_whole) AS y_offs,
        count(*) FILTER (is_whole) AS n_runs,
        count(DISTINCT condition) FILTER (is_whole) AS n_conditions,
        list(x0 ORDER BY run_id) FILTER (is_whole AND x0 IS NOT NULL) AS x0s,
        list(y ORDER BY run_id) FILTER (is_whole AND x0 IS NOT NULL) AS y0s,
        count(x0) FILTER (is_whole) AS n_runs_layer0,
        min(accuracy) FILTER (is_whole) AS least_accuracy,
        count(*) FILTER (is_failed IS TRUE) AS n_failed,
        count(*) FILTER (NOT is_whole AND is_failed IS NOT TRUE) AS n_left_out
    FROM centred
    GROUP BY ALL
),

correlated AS (
    SELECT
        *,
        pearson(xs, ys) AS r,
        pearson(x_offs, y_offs) AS within_r,
        pearson(x0s, y0s) AS r_layer0,
        CASE WHEN n_runs > 3 THEN 1 / (n_runs - 3) END AS variance,
        CASE WHEN n_runs > n_conditions + 2 THEN 1 / (n_runs - n_conditions - 2) END
            AS within_variance
    FROM listed
)

SELECT
    n_layers,
    width,
    n_heads,
    n_from,
    n_to,
    out_objects,
    context,
    vocabulary,
    as_published,
    n_objects,
    in_distribution,
    least_accuracy,
    r,
    fisher_low(r, variance) AS low,
    fisher_high(r, variance) AS high,
    within_r,
    fisher_low(within_r, within_variance) AS within_low,
    fisher_high(within_r, within_variance) AS within_high,
    r_layer0,
    n_runs,
    n_conditions,
    n_runs_layer0,
    n_failed,
    n_left_out
FROM correlated
ORDER BY
    n_layers,
    width,
    n_heads,
    n_from,
    n_to,
    out_objects,
    context DESC,
    vocabulary,
    as_published,
    n_objects,
    settings;
