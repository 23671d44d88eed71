-- Correlation of two lists of equal length without NULL, point by point; NULL with fewer than two
-- points or where one side is constant. Lists come in a fixed order, so that sums do too.
-- list_ranks: 1 for the smallest; equal values share the mean of their ranks. list_products: sum
-- of the products of deviations from the means. pearson, spearman (Pearson of the ranks) in
-- [-1, 1]; slope: least squares, units of ys per unit of xs.
-- A list of one struct stands for a name: a macro's argument is put in as text, and would be
-- worked out again for each element of an inner lambda.
CREATE OR REPLACE MACRO list_ranks(xs) AS list_transform(
    [{'xs': xs}],
    lambda p: list_transform(
        p.xs,
        lambda x: len(list_filter(p.xs, lambda y: y < x))
            + (len(list_filter(p.xs, lambda y: y = x)) + 1) / 2
    )
)[1];

CREATE OR REPLACE MACRO list_products(xs, ys) AS list_transform(
    [{'points': list_zip(xs, ys), 'x': list_avg(xs), 'y': list_avg(ys)}],
    lambda p: list_sum(list_transform(p.points, lambda q: (q[1] - p.x) * (q[2] - p.y)))
)[1];

CREATE OR REPLACE MACRO pearson(xs, ys) AS CASE
    WHEN list_min(xs) < list_max(xs) AND list_min(ys) < list_max(ys) THEN
        list_products(xs, ys) / sqrt(list_products(xs, xs)) / sqrt(list_products(ys, ys))
END;

CREATE OR REPLACE MACRO spearman(xs, ys) AS list_transform(
    [{'xs': list_ranks(xs), 'ys': list_ranks(ys)}], lambda p: pearson(p.xs, p.ys)
)[1];

CREATE OR REPLACE MACRO slope(xs, ys) AS CASE
    WHEN list_min(xs) < list_max(xs) THEN list_products(xs, ys) / list_products(xs, xs)
END;
