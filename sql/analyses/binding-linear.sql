-- Linear probes: what can be read off each kind of token, layer by layer
-- A surge at the tokens of objects is the signature of binding.
-- Grain: one row per condition of runs (that differ by seeds only) and step, or LM, and context,
--   vocabulary, number of objects, token, attribute and layer. Where a setting without a column
--   differs, each is a row.
-- Units: layer 0: the embeddings; l: after block l. accuracy: share of test examples whose attribute
--   is read off rightly, mean over runs; permuted: the same of a probe whose labels were permuted
--   among the examples, NULL without one. gain = accuracy - permuted; low, high: its 95 % interval
--   over seeds, Student's t, cut at -1 and 1, NULL with one; runs of one start are averaged first
--   where there are several starts. chance = 1 / classes. n_runs: NULL of an LM.
-- Empty: no linear probe is in the store: `xmodal binding probe` makes them
-- Params: $run VARCHAR: the condition of this run, an id or its beginning; all when left out. $lm
--   VARCHAR: one LM; all when left out.
WITH latest AS (
    SELECT
        look.* EXCLUDE (n_examples),
        probe.* EXCLUDE (probe_id)
    FROM binding_linear AS probe
    JOIN binding_look AS look USING (probe_id)
    WHERE $lm IS NULL OR look.lm = $lm::VARCHAR
    QUALIFY row_number() OVER (
        PARTITION BY
            look.subject, look.context, look.vocabulary, look.settings, look.seed,
            probe.n_objects, probe.layer, probe.token, probe.attribute, probe.permuted
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
        token,
        attribute,
        layer,
        n_classes,
        (sum(n_test) FILTER (NOT permuted)) AS n_test,
        sum(n_right) FILTER (NOT permuted) / sum(n_test) FILTER (NOT permuted) AS accuracy,
        sum(n_right) FILTER (permuted) / sum(n_test) FILTER (permuted) AS permuted
    FROM latest
    GROUP BY ALL
    HAVING count(*) FILTER (NOT permuted) > 0
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
        one.* EXCLUDE (run_id, n_test, accuracy, permuted),
        run.unit,
        avg(one.accuracy ORDER BY run_id) AS accuracy,
        CASE WHEN count(one.permuted) = count(*) THEN avg(one.permuted ORDER BY run_id) END
            AS permuted,
        sum(one.n_test) AS n_test,
        count(run.run_id) AS n_runs
    FROM of_subject AS one
    LEFT JOIN binding_condition AS run USING (run_id)
    GROUP BY ALL
),

of_condition AS (
    SELECT
        * EXCLUDE (unit, accuracy, permuted, n_test, n_runs),
        avg(accuracy ORDER BY unit) AS accuracy,
        CASE WHEN count(permuted) = count(*) THEN avg(permuted ORDER BY unit) END AS permuted,
        CASE WHEN count(permuted) = count(*) THEN avg(accuracy - permuted ORDER BY unit) END
            AS gain,
        CASE WHEN count(permuted) = count(*) THEN seed_low(accuracy - permuted, unit, -1) END
            AS low,
        CASE WHEN count(permuted) = count(*) THEN seed_high(accuracy - permuted, unit, 1) END
            AS high,
        sum(n_test)::BIGINT AS n_test,
        nullif(sum(n_runs), 0)::BIGINT AS n_runs
    FROM of_unit
    GROUP BY ALL
)

SELECT
    * EXCLUDE (
        lm_hash, settings, n_classes, accuracy, permuted, gain, low, high, n_test, n_runs
    ),
    accuracy,
    permuted,
    gain,
    low,
    high,
    1 / n_classes AS chance,
    n_test,
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
    token,
    attribute,
    layer,
    n_classes;
