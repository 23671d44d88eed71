-- Statistics that were computed: levels, differences, tests and equivalence
-- Grain: one row per result, planned ones first. confirmatory: asked for in a plan that was frozen
--   before any of its runs began; else exploratory_because says why not.
-- Units: estimate, low, high, se, margin in those of metric (in [0, 1]; differences in [-1, 1]),
--   coefficients of a mixed model (method mixed) too; p_holm: corrected for the other results of
--   its family and method. effect: what effect_name says. given: what both sides have in common.
-- Empty: nothing was compared yet: `xmodal stats compare --by lm_init --where ratio=1` does
-- Params: $plan VARCHAR: a plan's id or its beginning; all when left out.
SELECT
    * EXCLUDE (sides_json, runs_json, settings_json, versions_json),
    runs_json
FROM stat
WHERE $plan IS NULL OR starts_with(plan_id, $plan::VARCHAR)
ORDER BY confirmatory DESC, created_at, family, contrast, a, b, kind DESC, method, term;
