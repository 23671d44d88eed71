"""The audit as a page with figures: every number in it comes from the audit."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from statistics import median

from taxonomy.errors import ConfigError, DataError
from xmodal.files import write_whole
from xmodal.released import audit_text as text
from xmodal.released.audit import Audit, Score, Systematic
from xmodal.released.audit_text import condition, count, original, percent, render
from xmodal.released.page_figures import main_models, write_figures
from xmodal.released.page_needs import require_known
from xmodal.released.paragraphs import wrapped


def write_audit(found: Audit, fmt: str | None = None, output: Path | None = None) -> str:
    """Write an audit to a file, or give it as text.

    Args:
        found: The audit.
        fmt: table, json or markdown; None means by the suffix of output, else a table.
        output: None means no file. A .md file becomes the page, with its figures in the folder
            figures beside it.

    Returns:
        What to print: the text itself, or a line that says what was written.

    Raises:
        ConfigError: Another format.
        DataError: The folder is not there or cannot be written, or the release lacks the
            conditions that the page speaks of.
    """
    if output is None:
        return render(found, fmt or "table").rstrip("\n")
    page = output.suffix == ".md" and fmt in (None, "markdown")
    content = page_text(found) if page else render(found, fmt or _by_suffix(output))
    if not output.parent.is_dir():
        raise DataError(f"folder {output.parent} of --output does not exist; make it first")
    try:
        figures = write_figures(found, output.parent / "figures") if page else []
        write_whole(output, lambda path: path.write_text(content, encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{output} cannot be written: {error.strerror}") from error
    return f"wrote {output}" + (f" and {len(figures)} figures" if figures else "")


def _by_suffix(output: Path) -> str:
    formats = {".json": "json", ".txt": "table"}
    if output.suffix not in formats:
        raise ConfigError(
            f"--output must end in .md, .json or .txt where no --format is given, got {output.name}"
        )
    return formats[output.suffix]


def page_text(found: Audit) -> str:
    """The page as Markdown.

    Raises:
        DataError: The release lacks files or conditions that the page speaks of.
    """
    require_known(found)
    smallest = _smallest(found)
    parts = [
        _introduction(found, smallest),
        _random(found),
        _systematic(found, smallest),
        _negative_only(found, smallest),
        _single_class(found),
        _chance(found),
        _intervals(found),
        _leaves(found),
        _limits(),
    ]
    return wrapped("\n\n".join(parts))


def _smallest(found: Audit) -> list[Systematic]:
    """The main models at the fewest ablated categories."""
    rows = main_models(found.systematic)
    fewest = min(row.n_categories for row in rows)
    return [row for row in rows if row.n_categories == fewest]


def _at(found: Audit, lm_init: str, shuffle: str) -> Score | None:
    """The first main model at 100 %."""
    lm = main_models(found.scores)[0].lm
    for row in found.scores:
        if (row.lm, row.lm_init, row.shuffle) == (lm, lm_init, shuffle) and (
            row.encoder == "DINOv2" and (row.design, row.n) == ("random", 100)
        ):
            return row
    return None


def _each(values: Iterable[float | None]) -> str:
    return " and ".join(percent(value) for value in values)


def _introduction(found: Audit, smallest: list[Systematic]) -> str:
    first = smallest[0]
    realised_ = " / ".join(
        percent(row.realised_ratio) for row in original(found.realised) if row.nominal_ratio < 1
    )
    nominal = " / ".join(
        f"{100 * row.nominal_ratio:.0f}"
        for row in original(found.realised)
        if row.nominal_ratio < 1
    )
    return f"""# What S1's released results say about its numbers

This page audits the result files of *Cross-Modal Taxonomic Generalization in (Vision-)Language
Models* (S1; ACL 2026, arXiv 2603.07474), as released under the MIT licence in the repository
`sally-xu-42/cross-modal-taxonomic-gen`: {found.n_runs} runs, with their F1 by hypernym and leaf,
the number of questions, and the F1 of a blind guess. Nothing else is used but the list of ablated
categories in its code. The page and its figures are written by a command, and so is every number
in them:

```
xmodal import s1 PATH_OF_THE_CLONE --audit --output docs/s1-audit.md
```

In short:

- Nominal random ablations of {nominal} % hold out {realised_} % of the hypernym questions.
- Of the {count(first.n_questions)} held-out questions at {first.n_categories} ablated categories, \
{count(first.n_about_ablated)} are about those categories. On them alone the F1 is \
{_each(row.f1_ablated for row in smallest)} ({_each_name(smallest)}), where \
{_each(row.f1_reported for row in smallest)} are reported and a blind guess has \
{percent(first.blind_ablated)}.
- The same categories score {_each(row.f1_ablated_when_all_are for row in smallest)} when *all*
  hypernyms are held out. An LM with random weights scores {
        _each(row.f1_ablated for row in _random_weights(found, smallest))
    } on them when only they are, and answering No to everything
  {percent(first.always_no)}: the ablated names were probably asked in training, with the answer No.
- The means of the systematic conditions contain hypernyms whose questions all have one answer.
- The published intervals take hypernyms times seeds for independent values; over hypernyms they
  are {_widths(found)[1]:.1f} times as wide.

The conditions at 100 %, where every hypernym question is held out, have none of these faults but
the last. There {_standing(found)}
"""


def _each_name(rows: Iterable[Systematic]) -> str:
    return " and ".join(row.lm for row in rows)


def _standing(found: Audit) -> str:
    """What does not depend on the ablations."""
    said = (
        ("with pretrained weights", _at(found, "pretrained", "none")),
        ("with random weights", _at(found, "random", "none")),
        ("with labels shuffled within categories", _at(found, "pretrained", "within")),
        ("across categories", _at(found, "pretrained", "across_s1")),
    )
    parts = [f"{percent(row.f1)} {name}" for name, row in said if row is not None]
    lm = main_models(found.scores)[0].lm
    return f"{lm} reaches {', '.join(parts)}."


def _figure(name: str, alt: str) -> str:
    return f"![{alt}](figures/s1-audit-{name}.svg)"


def _random(found: Audit) -> str:
    return f"""## 1. Random ablation holds out more than its label says

{text.realised(found).markdown()}

{_figure("realised", "Realised against nominal ablation")}

The ablation draws leaves under each hypernym, and a drawn leaf loses all of its hypernyms. A leaf
with three hypernyms is therefore drawn up to three times, and the union is what is held out. The
table gives percent of the test questions about hypernyms (the column names are shuffles; the two
columns of questions belong to `none`).

**What xmodal does.** `--unit pair`, the default, holds out (leaf, hypernym) pairs, so that the
realised share is the nominal one up to rounding. `--unit leaf` repeats S1's rule. The
table `manifest` has both shares, and `@realised-ratio` shows them side by side.
"""


def _systematic(found: Audit, smallest: list[Systematic]) -> str:
    first = smallest[0]
    about, of = first.n_about_ablated, first.n_questions
    share = None if about is None or not of else about / of
    return f"""## 2. Most of the systematic held-out set was trained

{text.systematic(found).markdown()}

{_figure("systematic", "Parts of the systematic held-out sets")}

The held-out set has every hypernym question about the pictures of each leaf that has an ablated
category. At {first.n_categories} categories {percent(share)} % of it asks about them; the rest asks
about hypernyms that training went on showing with other leaves. The reported number is the mean of
both kinds. Scores are percent; `others` leaves one-class cells out (section 4). The tick in the
figure is the blind guess on the ablated categories.

Which categories are ablated stands in the release's code, not in its files
(`src/ablation/ablate_cat.py`). The import checks each of them: it must have no Yes among the seen
questions and some among the held-out ones.

**What xmodal does.** `systematic` holds out every cell of the ablated hypernyms and no other; a
question is held out by its own cell. Imported results appear in `@main-results` twice: as
`held_out_s1`, as published, and as `held_out`, the ablated categories alone.
"""


def _negative_only(found: Audit, smallest: list[Systematic]) -> str:
    first = smallest[0]
    return f"""## 3. The ablated names are probably still asked, with No

{text.negative_only(found).markdown()}

With fewer hypernyms ablated the ablated ones are answered worse, by {_points(smallest)} points at
{first.n_categories} categories. Part of that may be the questions: with all hypernyms held out a
category is also asked about the pictures of leaves that the smaller ablation trains. The LMs with
random weights say more, since they know nothing beforehand. On the ablated categories they are
{_above(found)} points above answering No always, and far below the better constant answer
({percent(first.blind_ablated)}); {_no_cells(found)} scores for single categories are
exactly those of No always. The seen half of the test
set shows how they may have learned that: it has {count(first.n_no_only)} questions about the
{first.n_categories} categories, as the negatives of other pictures, and the answer to every one is
No. If the training questions were cut in the same way they taught exactly this. They are not
released, so it stays an inference.

{_contained(found)}

**What xmodal does.** `--mentions drop_all`, the default, drops every training question that names
a hypernym without a training Yes; `keep` with
`--unit leaf` repeats S1. `xmodal manifest report` counts Yes, No and mentions for each hypernym.
"""


def _random_weights(found: Audit, like: list[Systematic]) -> list[Systematic]:
    """The same conditions with random LM weights."""
    wanted = {(row.lm, row.n_categories, row.encoder) for row in like}
    rows = [
        row
        for row in original(found.systematic)
        if row.lm_init == "random" and (row.lm, row.n_categories, row.encoder) in wanted
    ]
    if not rows:
        raise DataError("the page compares with LMs of random weights: the release has none")
    return rows


def _above(found: Audit) -> str:
    """Points above always No of LMs with random weights at the fewest categories."""
    rows = _random_weights(found, _smallest(found))
    return _each(None if row.always_no is None else row.f1_ablated - row.always_no for row in rows)


def _no_cells(found: Audit) -> str:
    """Scores of LMs with random weights that are those of No always, at the fewest categories."""
    rows = _random_weights(found, _smallest(found))
    n_no = [row.n_cells_always_no for row in rows if row.n_cells_always_no is not None]
    return f"{sum(n_no)} of {sum(row.n_cells_ablated for row in rows)}"


def _contained(found: Audit) -> str:
    """Hypernyms that lost every Yes though no ablation names them."""
    rows = {
        row.n_categories: row.contained for row in main_models(found.systematic) if row.contained
    }
    if not rows:
        return "Every hypernym that is not ablated has a Yes left among the seen questions."
    listed = "; ".join(f"{', '.join(words)} at {n}" for n, words in sorted(rows.items()))
    return (
        "Some hypernyms that are not ablated by name have no Yes left among the seen questions "
        f"either, because all of their leaves are under ablated categories: {listed}. They do not "
        "count as ablated here."
    )


def _points(rows: Iterable[Systematic]) -> str:
    return " and ".join(
        percent(None if (whole := row.f1_ablated_when_all_are) is None else whole - row.f1_ablated)
        for row in rows
    )


def _single_class(found: Audit) -> str:
    return f"""## 4. Hypernyms whose questions have one answer

{text.single_class(found).markdown()}

F1 is the mean over the LMs with pretrained weights. Where all questions of a hypernym have one
answer, the blind guess has an F1 of exactly 1: that is how the table finds them.
For such a hypernym the F1 of the other answer does not exist; the release
takes the mean over the answers that occur, among the true and the given ones. A model without a
mistake gets 1, and its first mistake halves the score. Both enter the published means. The blind
guess that the scores are compared with contains them too.

**What xmodal does.** Such a hypernym has no macro-F1: it is left out and counted in
`n_single_class`. `held_out_s1` and `seen_s1` keep it, as published.
"""


def _chance(found: Audit) -> str:
    keep = [row for row in found.scores if row.design == "random" and row.n == 100]
    head = text.adjusted(found)
    rows = [
        cells
        for row, cells in zip(found.scores, head.rows, strict=True)
        if row in keep or (row.shuffle == "none" and row.lm_init == "pretrained")
    ]
    table = text.Section(head.key, head.title, head.note, head.columns, rows)
    return f"""## 5. How far from guessing

{table.markdown()}

{_figure("by-realised-ratio", "Held-out F1 against the realised ablation")}

*Adjusted* is (F1 - blind) / (1 - blind), averaged over the hypernyms that have both answers: 0 is
the better constant answer, 100 is perfect. *Asked* is the share of the hypernym questions that is
in the held-out set, which is the honest x-axis for the random conditions. *F1* is as published,
*two-class* and *seen* (the seen questions) leave one-class hypernyms out. The figure uses *asked*:
{main_models(found.scores)[0].lm}, bars are 95 % intervals over hypernyms, the dotted line is
the blind guess. The table shows the original labels and every model at 100 %;
`xmodal import s1 PATH --audit` prints all conditions.

**What xmodal does.** `@main-results` has the blind guess on the same cells beside every score, and
`@chance-adjusted` takes it out.
"""


def _widths(found: Audit) -> tuple[float, float, float, int]:
    """Least, median and greatest ratio of the two intervals, and the number of conditions."""
    ratios = [
        row.half_width_hypernyms / row.half_width_cells
        for row in original(found.scores)
        if row.half_width_cells > 0
    ]
    if not ratios:
        raise DataError("the page needs conditions with several hypernyms: the release has none")
    return min(ratios), median(ratios), max(ratios), len(ratios)


def _intervals(found: Audit) -> str:
    low, middle, high, n = _widths(found)
    rows = main_models(found.scores)
    at = next((row for row in rows if (row.design, row.n) == ("random", 100)), rows[0])
    return f"""## 6. Intervals

Three seeds answer the same questions about the same hypernyms, and a hypernym that is hard for one
is hard for the others: 53 hypernyms times 3 seeds are not 159 independent values. With seeds
averaged within each hypernym first, the 95 % interval of {at.lm} ({condition(at.design, at.n)}) is
{percent(at.f1)} +- {percent(at.half_width_hypernyms)} points in place of
+- {percent(at.half_width_cells)}. Over the {n} conditions with the original labels the ratio of the
widths is {low:.2f} to {high:.2f}, with median {middle:.2f}.

Neither interval knows that hypernyms share leaves and pictures. The files have no answers to single
questions, so that it cannot be mended from them.

**What xmodal does.** The logits of every question are stored, so that leaves with their pictures
can be resampled. `@ablation` has the interval over hypernyms.
"""


def _leaves(found: Audit) -> str:
    first = next((row for row in found.leaves if row.shuffle == "none"), None)
    if first is None:
        return "## 7. Leaf questions\n\nThe release has no scores of leaves.\n"
    without = first.without_count or ()
    return f"""## 7. Leaf questions

{text.leaves(found).markdown()}

The files of counts leave out {len(without)} of the {first.n_leaves:,} leaves:
{", ".join(without)}. They are plurals, whose question has no article; a pattern that
expects one may be why. Their F1 is there; the import stores no number of questions for them.
"""


def _limits() -> str:
    return """## What the files cannot say

- Which answer was wrong: there are no logits and no answers, so that a bias to one answer and a
  lack of knowledge look the same. F1 by hypernym hides it; a blind guess beside it helps a little.
- What training showed: the training questions are not released (section 3).
- Whether the second decimal means anything: three seeds vary the optimisation only. The ablated
  leaves, categories and questions are the same for all of them.
"""
