-- Correlation of two lists of equal length without NULL, point by point; NULL with fewer than two
-- points or where one side is constant. Lists come in a fixed order, so that sums do too.
-- list_ranks: 1 for the smallest; equal values share the mean of their ranks.
-- pearson, spearman (Pearson of the ranks) in [-1, 1]; slope: least squares, units of y per unit
-- of x.
CREATE OR REPLACE MACRO list_ranks(xs) AS list_transform(
    xs,
    lambda x: len(list_filter(xs, lambda y: y < x))
        + (len(list_filter(xs, lambda y: y = x)) + 1) / 2
);

CREATE OR REPLACE MACRO list_products(xs, ys) AS list_sum(list_transform(
    range(1, len(xs) + 1), lambda i: (xs[i] - list_avg(xs)) * (ys[i] - list_avg(ys))
));

CREATE OR REPLACE MACRO pearson(xs, ys) AS CASE
    WHEN list_min(xs) < list_max(xs) AND list_min(ys) < list_max(ys) THEN
        list_products(xs, ys)
        / sqrt(list_products(xs, xs)) / sqrt(list_products(ys, ys))
END;

CREATE OR REPLACE MACRO spearman(xs, ys) AS pearson(list_ranks(xs), list_ranks(ys));

CREATE OR REPLACE MACRO slope(xs, ys) AS CASE
    WHEN list_min(xs) < list_max(xs) THEN list_products(xs, ys) / list_products(xs, xs)
END;
