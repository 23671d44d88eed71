-- Arms of binding at their end: accuracy within and beyond training, and what they cost
-- Whether the lift of an arm survives compute matching: hold it against a text arm with as many
--   steps, questions, tokens or FLOPs, with the runs it started from (_total); @binding-lift pairs
--   them seed by seed.
-- Grain: one row per condition (runs that differ by seeds only), vocabulary, and object counts
--   asked.
-- Units: text context, two-hop question. in_accuracy, out_accuracy: share of right answers, mean
--   over the object counts up to n_to and over the larger ones (out_objects), each count the
--   same, then over runs. _low, _high: 95 % interval over seeds, Student's t, cut at 0 and 1, NULL
--   with one; runs of one start are averaged first where there are several starts (n_starts), else
--   it holds for that start. out_chance: of a guess among the scene's items. paper:
--   accuracy beyond training that the paper reports for an arm of this name, by object counts and a
--   vocabulary that it does not say; NULL for others, and for decoders of another shape than 12
--   layers, width 128, 4 heads, up to 8 objects in training. n_steps, n_questions, n_tokens (that take a position),
--   n_tokens_computed, flops: mean over runs.
-- Empty: no binding run is in the store: `xmodal binding train` makes one
-- Params: $run VARCHAR: the condition of this run, an id or its beginning; all when left out.
WITH
-- arXiv 2602.15183, text-only accuracy with more objects than trained with (PROTOCOLS.md S3)
paper (arm, paper) AS (
    VALUES
    ('text', 0.372::DOUBLE),
    ('noise-text', 0.575::DOUBLE),
    ('image-text', 0.695::DOUBLE),
    ('noise-image-text', 0.836::DOUBLE)
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
        run.n_layers,
        run.n_from,
        run.n_to,
        score.vocabulary,
        score.in_objects,
        score.out_objects,
        score.out_chance,
        run.unit,
        run.n_layers = 12 AND run.width = 128 AND run.n_heads = 4 AND run.n_to = 8 AS is_papers,
        avg(score.in_accuracy ORDER BY run_id) AS in_accuracy,
        avg(score.out_accuracy ORDER BY run_id) AS out_accuracy,
        avg(run.n_steps ORDER BY run_id) AS n_steps,
        avg(run.n_questions ORDER BY run_id) AS n_questions,
        avg(run.n_tokens ORDER BY run_id) AS n_tokens,
        avg(run.n_tokens_computed ORDER BY run_id) AS n_tokens_computed,
        avg(run.flops ORDER BY run_id) AS flops,
        avg(run.n_steps_total ORDER BY run_id) AS n_steps_total,
        avg(run.n_questions_total ORDER BY run_id) AS n_questions_total,
        avg(run.n_tokens_total ORDER BY run_id) AS n_tokens_total,
        avg(run.n_tokens_computed_total ORDER BY run_id) AS n_tokens_computed_total,
        avg(run.flops_total ORDER BY run_id) AS flops_total,
        count(*) AS n_runs,
        list(DISTINCT run.root) AS roots
    FROM binding_condition AS run
    JOIN binding_score AS score USING (run_id)
    WHERE score.is_last AND score.context = 'text'
    GROUP BY ALL
),

of_condition AS (
    SELECT
        condition,
        arm,
        position,
        start,
        scene_layout,
        encoder,
        recipe,
        n_layers,
        n_from,
        n_to,
        vocabulary,
        in_objects,
        out_objects,
        out_chance,
        is_papers,
        avg(in_accuracy ORDER BY unit) AS in_accuracy,
        seed_low(in_accuracy, unit, 0) AS in_low,
        seed_high(in_accuracy, unit, 1) AS in_high,
        avg(out_accuracy ORDER BY unit) AS out_accuracy,
        seed_low(out_accuracy, unit, 0) AS out_low,
        seed_high(out_accuracy, unit, 1) AS out_high,
        avg(n_steps ORDER BY unit) AS n_steps,
        avg(n_questions ORDER BY unit) AS n_questions,
        avg(n_tokens ORDER BY unit) AS n_tokens,
        avg(n_tokens_computed ORDER BY unit) AS n_tokens_computed,
        avg(flops ORDER BY unit) AS flops,
        avg(n_steps_total ORDER BY unit) AS n_steps_total,
        avg(n_questions_total ORDER BY unit) AS n_questions_total,
        avg(n_tokens_total ORDER BY unit) AS n_tokens_total,
        avg(n_tokens_computed_total ORDER BY unit) AS n_tokens_computed_total,
        avg(flops_total ORDER BY unit) AS flops_total,
        sum(n_runs)::BIGINT AS n_runs,
        len(list_distinct(flatten(list(roots)))) AS n_starts
    FROM of_unit
    GROUP BY ALL
)

SELECT
    condition,
    arm,
    position,
    start,
    scene_layout,
    encoder,
    recipe,
    n_layers,
    n_from,
    n_to,
    vocabulary,
    in_accuracy,
    in_low,
    in_high,
    out_accuracy,
    out_low,
    out_high,
    out_chance,
    CASE WHEN is_papers THEN paper.paper END AS paper,
    out_objects,
    n_runs,
    n_starts,
    n_steps,
    n_questions,
    n_tokens,
    n_tokens_computed,
    flops,
    n_steps_total,
    n_questions_total,
    n_tokens_total,
    n_tokens_computed_total,
    flops_total
FROM of_condition
LEFT JOIN paper USING (arm)
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
    vocabulary,
    out_objects,
    in_objects;
