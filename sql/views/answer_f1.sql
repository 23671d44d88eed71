-- Macro-F1 of Yes and No answers to one group of questions, and of the better constant answer.
-- Params: tp, fp, fn, tn, or n_yes and n_no true answers: counts of questions. In [0, 1]; NULL
-- where the true answers are all Yes or all No. This is the only place that says what they are.
-- answer_f1 = mean of F1(Yes) = 2tp / (2tp + fp + fn) and F1(No) = 2tn / (2tn + fp + fn).
CREATE OR REPLACE MACRO answer_f1(tp, fp, fn, tn) AS CASE WHEN tp + fn > 0 AND tn + fp > 0 THEN
    (2 * tp / (2 * tp + fp + fn) + 2 * tn / (2 * tn + fp + fn)) / 2
END;
CREATE OR REPLACE MACRO constant_f1(n_yes, n_no) AS CASE WHEN n_yes > 0 AND n_no > 0 THEN
    greatest(2 * n_yes / (2 * n_yes + n_no), 2 * n_no / (2 * n_no + n_yes)) / 2
END;
