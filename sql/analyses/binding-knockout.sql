-- Attention knockout: what accuracy is lost when some tokens no longer see others
-- Grain: one row per condition of runs (that differ by seeds only) and step, or LM, and context,
--   vocabulary, number of objects, set of edges and window of layers. Where a setting without a
--   column differs, each is a row.
-- Units: edges: which queries no longer see which keys. layer_from, layer_to: blocks, the first is
--   1; both ends are cut. before, after: share of right answers, mean over runs. loss = before -
--   after; low, high: its 95 % interval over seeds, Student's t, cut at -1 and 1, NULL with one;
--   runs of one start are averaged first where there are several starts. n_runs: NULL of an LM.
-- Empty: no attention knockout is in the store: `xmodal binding probe` makes them
-- Params: $run VARCHAR: the condition of this run, an id or its beginning; all when left out. $lm
--   VARCHAR: one LM; all when left out.
WITH latest AS (
    SELECT
        look.* EXCLUDE (n_examples),
        cut.* EXCLUDE (probe_id)
    FROM binding_knockout AS cut
    JOIN binding_look AS look USING (probe_id)
    WHERE $lm IS NULL OR look.lm = $lm::VARCHAR
    QUALIFY row_number() OVER (
        PARTITION BY
            look.subject, look.context, look.vocabulary, look.settings, look.seed, cut.n_objects,
            cut.edges, cut.layer_from, cut.layer_to
        ORDER BY look.n_examples DESC, look.created_at DESC, probe_id DESC
    ) = 1
),

of_subject AS (
    SELECT
        run_id,
        step,
        lm,
        lm_revision,
        lm_hash,
        is_vlm,
        context,
        vocabulary,
        settings,
        n_layers,
        n_objects,
        edges,
        layer_from,
        layer_to,
        sum(n_examples) AS n_examples,
        sum(n_right_before) / sum(n_examples) AS before,
        sum(n_right) / sum(n_examples) AS after
    FROM latest
    GROUP BY ALL
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
        one.* EXCLUDE (run_id, n_examples, before, after),
        run.unit,
        avg(one.before ORDER BY run_id) AS before,
        avg(one.after ORDER BY run_id) AS after,
        sum(one.n_examples) AS n_examples,
        count(run.run_id) AS n_runs
    FROM of_subject AS one
    LEFT JOIN binding_condition AS run USING (run_id)
    GROUP BY ALL
),

of_condition AS (
    SELECT
        * EXCLUDE (unit, before, after, n_examples, n_runs),
        avg(before ORDER BY unit) AS before,
        avg(after ORDER BY unit) AS after,
        avg(before - after ORDER BY unit) AS loss,
        seed_low(before - after, unit, -1) AS low,
        seed_high(before - after, unit, 1) AS high,
        sum(n_examples)::BIGINT AS n_examples,
        nullif(sum(n_runs), 0)::BIGINT AS n_runs
    FROM of_unit
    GROUP BY ALL
)

SELECT
    * EXCLUDE (lm_hash, settings, before, after, loss, low, high, n_examples, n_runs),
    before,
    after,
    loss,
    low,
    high,
    n_examples,
    n_runs
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
    condition,
    lm,
    lm_revision,
    lm_hash,
    is_vlm,
    step,
    context DESC,
    vocabulary,
    settings,
    n_layers,
    n_objects,
    edges,
    layer_from,
    layer_to;
