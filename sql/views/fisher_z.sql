-- The 95 % interval of a correlation by Fisher's z: tanh of atanh(r) -+ 1.959964 standard errors.
-- Params: r, a correlation; variance, of its atanh: 1 / (n - 3) for Pearson's r of n points, and
-- (1 + r ** 2 / 2) / (n - 3) for Spearman's (Bonett and Wright 2000). NULL where the variance is
-- NULL or not above 0, and where r is 1 or -1, whose z is infinite.
CREATE OR REPLACE MACRO fisher_low(r, variance) AS CASE
    WHEN variance > 0 AND abs(r) < 1 - 1e-12 THEN tanh(atanh(r) - 1.959963985 * sqrt(variance))
END;
CREATE OR REPLACE MACRO fisher_high(r, variance) AS CASE
    WHEN variance > 0 AND abs(r) < 1 - 1e-12 THEN tanh(atanh(r) + 1.959963985 * sqrt(variance))
END;
