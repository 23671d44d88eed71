-- The 97.5 % quantile of Student's t: half the width of a 95 % interval is t_975(n - 1) standard
-- errors. Params: df, degrees of freedom, a whole number; NULL below 1.
-- For df 1 to 4 the value itself, beyond it the Cornish-Fisher expansion in 1/df
-- (Abramowitz and Stegun 26.7.5) at z = 1.959964, off by 0.0003 at df 5 and less after. Its
-- coefficients stand as numbers, so that no power of z is computed again for each row.
CREATE OR REPLACE MACRO t_975(df) AS CASE
    WHEN df < 1 THEN NULL
    WHEN df = 1 THEN 12.706204736
    WHEN df = 2 THEN 4.302652730
    WHEN df = 3 THEN 3.182446305
    WHEN df = 4 THEN 2.776445105
    ELSE 1.959963985 + 2.372271230 / df + 2.822498616 / df ** 2 + 2.555849680 / df ** 3
        + 1.589534053 / df ** 4
END;
