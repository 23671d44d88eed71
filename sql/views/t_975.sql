-- The 97.5 % quantile of Student's t: half the width of a 95 % interval is t_975(n - 1) standard
-- errors. Params: df, degrees of freedom, a whole number; NULL below 1.
-- Up to df 30 the value itself (numeric integration, tests/sql/test_finding_oracles.py), beyond it
-- the Cornish-Fisher expansion in 1/df (Abramowitz and Stegun 26.7.5) at z = 1.959964, off by less
-- than 1e-7 of itself. Its coefficients stand as numbers, so that no power of z is computed again
-- for each row.
CREATE OR REPLACE MACRO t_975(df) AS CASE
    WHEN df < 1 THEN NULL
    WHEN df <= 30 THEN ([
        12.7062047362, 4.3026527297, 3.1824463053, 2.7764451052, 2.5705818356,
        2.4469118511, 2.3646242516, 2.3060041352, 2.2621571628, 2.2281388520,
        2.2009851601, 2.1788128297, 2.1603686565, 2.1447866879, 2.1314495456,
        2.1199052992, 2.1098155778, 2.1009220402, 2.0930240544, 2.0859634473,
        2.0796138447, 2.0738730679, 2.0686576104, 2.0638985616, 2.0595385528,
        2.0555294386, 2.0518305165, 2.0484071418, 2.0452296421, 2.0422724563
    ]::DOUBLE[])[df::INTEGER]
    ELSE 1.959963985 + 2.372271230 / df + 2.822498616 / df ** 2 + 2.555849680 / df ** 3
        + 1.589534053 / df ** 4
END;

-- The mean over independent units (seeds, or the runs of one start) and its 95 % interval, cut where
-- no value can lie: shares at 0 and 1, differences of shares at -1 and 1. An aggregate; units put
-- the sums in a fixed order. NULL with fewer than two values.
-- Params: x, one value a unit; unit; least or most, where the interval ends at the latest.
CREATE OR REPLACE MACRO seed_half(x, unit) AS
    t_975(count(x) - 1) * stddev_samp(x ORDER BY unit) / sqrt(count(x));
CREATE OR REPLACE MACRO seed_low(x, unit, least) AS CASE
    WHEN count(x) > 1 THEN greatest(least, avg(x ORDER BY unit) - seed_half(x, unit))
END;
CREATE OR REPLACE MACRO seed_high(x, unit, most) AS CASE
    WHEN count(x) > 1 THEN least(most, avg(x ORDER BY unit) + seed_half(x, unit))
END;
