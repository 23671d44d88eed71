-- What LMs say of the same pairs in text alone: macro-F1 by LM, task and phrasing
-- S1's text-only probe: 77.7 and 85.9 for Qwen3-0.6B and 1.7B in its files (78.5 and 88.5 in the
--   paper, under the wording it chose). Own probes and released ones.
-- Grain: one row per probe (LM, task, phrasing, chat template, seed); per LM for released ones,
--   whose phrasing was not released.
-- Units: macro_f1, blind_f1 and accuracy in [0, 1], per hypernym over its pairs and foils, then
--   the mean over hypernyms. n_single_class: hypernyms without a macro-F1, as their pairs have
--   answers of one class. Task choice ranks every hypernym for a leaf and has instead: mean_rank
--   (1 is best), mean_reciprocal_rank and recall_at_1 in [0, 1], same mean. n_unknown of n_texts
--   hold a word that the LM's tokenizer does not know: where they are many, the numbers tell of
--   its vocabulary, not of what it knows. Tasks sentence and choice ask true pairs only.
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
    avg(accuracy ORDER BY hypernym_id) AS accuracy,
    avg(mean_rank ORDER BY hypernym_id) AS mean_rank,
    avg(mean_reciprocal_rank ORDER BY hypernym_id) AS mean_reciprocal_rank,
    avg(recall_at_1 ORDER BY hypernym_id) AS recall_at_1,
    count(*) AS n_hypernyms,
    count(*) FILTER (n_yes = 0 OR n_no = 0) AS n_single_class,
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
    avg(accuracy ORDER BY hypernym) AS accuracy,
    count(*) AS n_hypernyms
FROM released_probe
GROUP BY source, dataset, lm
ORDER BY ALL;
