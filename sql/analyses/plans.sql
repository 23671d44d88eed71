-- Plans that were frozen before training
-- Grain: one row per plan. n_confirmatory, n_exploratory: results computed from it so far; the
--   latter are of runs that began before it, or of changed manifests.
-- Units: counts
-- Empty: no plan was frozen: `xmodal plan freeze FILE` stores one
-- Params: none
SELECT
    plan.plan_id,
    plan.name,
    plan.n_contrasts,
    len(json_keys(plan.manifests_json)) AS n_manifests,
    count(stat.stat_id) FILTER (stat.confirmatory) AS n_confirmatory,
    count(stat.stat_id) FILTER (NOT stat.confirmatory) AS n_exploratory,
    plan.created_at AS frozen_at
FROM plan
LEFT JOIN stat USING (plan_id)
GROUP BY ALL
ORDER BY frozen_at, plan.plan_id;
