-- Wilson's 95 % interval of a share: never of width 0, also where all n answers are alike;
-- it holds p, which rounding would otherwise leave just outside at 0 and 1.
-- Params: p, a share in [0, 1] of n answers; NULL without answers. Where p is the mean of several
-- runs' answers to the same n questions, the interval is too wide rather than too narrow.
CREATE OR REPLACE MACRO wilson_low(p, n) AS CASE WHEN n > 0 THEN greatest(0, least(p, (
    p + 1.920729411 / n - 1.959963985 * sqrt(p * (1 - p) / n + 0.960364705 / n ** 2)
) / (1 + 3.841458821 / n))) END;
CREATE OR REPLACE MACRO wilson_high(p, n) AS CASE WHEN n > 0 THEN least(1, greatest(p, (
    p + 1.920729411 / n + 1.959963985 * sqrt(p * (1 - p) / n + 0.960364705 / n ** 2)
) / (1 + 3.841458821 / n))) END;
