-- What LMs say of the same pairs in text alone: macro-F1 by LM, task and phrasing
-- S1's text-only probe: 77.7 and 85.9 for Qwen3-0.6B and 1.7B in its files (78.5 and 88.5 in the
--   paper, under the wording it chose). Own probes and released ones. `xmodal probe` prints the
--   same columns when it asks.
-- Grain: one row per probe (LM, task, phrasing, chat template, seed); per LM for released ones,
--   whose phrasing and answers were not released.
-- Units: all but ranks in [0, 1]. Means over hypernyms: macro_f1, blind_f1, hypernym_accuracy.
--   Over all n_questions pairs and foils alike: accuracy (task choice: the true hypernym has rank
--   1), yes_ratio (the share answered Yes), mean_rank (1 is best) and mrr (mean of 1 / rank), the
--   last two for task choice. n_single_class: hypernyms without a macro-F1, as their pairs have
--   answers of one class; it and yes_ratio are NULL for tasks that ask true pairs only: sentence
--   and choice. n_unknown of n_texts hold a word that the LM's tokenizer does not know: where
--   they are many, the numbers tell of its vocabulary, not of what it knows.
-- Empty: no LM was probed in text: `xmodal probe` asks one, `xmodal import s1 PATH` brings the
--   paper's
-- Params: none
SELECT
    'own' AS source,
    text_probe.dataset_id AS dataset,
    text_probe.relation,
    text_probe.lm,
    text_probe.lm_init,
    text_probe.task,
    text_probe.phrasing,
    text_probe.template,
    text_probe.chat,
    text_probe.seed,
    avg(macro_f1 ORDER BY hypernym_id) AS macro_f1,
    avg(blind_f1 ORDER BY hypernym_id) AS blind_f1,
    sum(n_right) / sum(n_yes + n_no) AS accuracy,
    avg(accuracy ORDER BY hypernym_id) AS hypernym_accuracy,
    CASE WHEN sum(n_no) > 0 THEN sum(n_said_yes) / sum(n_yes + n_no) END AS yes_ratio,
    sum(mean_rank * n_yes ORDER BY hypernym_id) / nullif(sum(n_yes), 0) AS mean_rank,
    sum(mrr * n_yes ORDER BY hypernym_id) / nullif(sum(n_yes), 0) AS mrr,
    count(*) AS n_hypernyms,
    CASE WHEN sum(n_no) > 0 THEN count(*) FILTER (n_yes = 0 OR n_no = 0) END AS n_single_class,
    sum(n_yes + n_no)::BIGINT AS n_questions,
    (forms_json::JSON ->> 'n_unknown')::BIGINT AS n_unknown,
    (forms_json::JSON ->> 'n_texts')::BIGINT AS n_texts,
    probe_id
FROM probe_score
JOIN text_probe USING (probe_id)
GROUP BY ALL
UNION ALL BY NAME
SELECT
    source,
    dataset,
    'hypernym' AS relation,
    lm,
    'pretrained' AS lm_init,
    'yes_no' AS task,
    avg(macro_f1 ORDER BY hypernym) AS macro_f1,
    avg(accuracy ORDER BY hypernym) AS hypernym_accuracy,
    count(*) AS n_hypernyms
FROM released_probe
GROUP BY source, dataset, lm
ORDER BY ALL;
