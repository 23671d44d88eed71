"""`xmodal binding demo`: text-trained decoders, where they fail, what mends it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from xmodal.bindings.looks import SHIFT, Look, look_into
from xmodal.bindings.plan import plan_binding
from xmodal.bindings.runs import run_jobs
from xmodal.files import make_folder
from xmodal.jobs import runs_dir
from xmodal.machine import n_cores
from xmodal.pipeline import check_seeds
from xmodal.report.binding_demo import CONTROL, MENDED, closing
from xmodal.store import Store

FOLDER = Path("xmodal-binding-demo")
SEEDS = (0, 1, 2)
"""Of the text-trained decoders that ship."""
ARMS = (CONTROL, MENDED)
"""Both go on from the same decoders for as many steps and questions: with text as it was, and
with text in which noise tokens take positions."""


def binding_demo(
    folder: Path | None = None,
    *,
    seeds: Sequence[int] = SEEDS,
    n_examples: int = 512,
    workers: int | None = None,
    changes: Sequence[str] = (),
) -> Iterator[str]:
    """Start from text-trained decoders, train two arms, look into all, say what came out.

    Args:
        folder: Where everything goes; what is there already is reused. FOLDER if None.
        seeds: One decoder each; those of SEEDS ship, others are trained first.
        n_examples: Scenes of each number of objects that a probe looks at.
        workers: Runs at a time; None for one a core.
        changes: NAME=VALUE, settings of the recipe; for a quick look.

    Yields:
        The text to print, piece by piece.

    Raises:
        ConfigError: No seed, a negative one, or a setting out of range.
        DataError: The folder cannot be made.
    """
    check_seeds(seeds)
    seeds = list(dict.fromkeys(seeds))
    look = Look(kinds=("interchange", SHIFT), n_examples=n_examples, device="cpu")
    folder = folder or FOLDER
    store = folder / "xmodal.duckdb"
    plan = plan_binding(
        store, arms=ARMS, start="text-trained", seeds=seeds, changes=changes, device="cpu"
    )
    make_folder(folder, "the demo's folder")
    with Store.open(store):
        pass  # a store that cannot be written is said before the work
    workers = workers or n_cores()
    for what, jobs in (("text-trained", plan.starts), ("arms", plan.jobs)):
        results = run_jobs(jobs, workers)
        n = sum(result.trained for result in results)
        there = "there already" if what == "arms" else "there already or shipped"
        yield f"{what:13}{n} runs trained, {len(results) - n} {there}"
    with Store.open(store) as opened:
        report = opened.sync(runs_dir(store))
    yield from report.problems()
    ids = [run_id for job in (*plan.starts, *plan.jobs) for run_id in job.run_ids]
    *made, counts = list(look_into(store, ids, look))
    n_new = sum(" made: " in line for line in made)
    yield f"{'looks':13}{n_new} made, {len(ids) * len(look.kinds) - n_new} there already; {counts}"
    first = plan.jobs[0].recipe
    # of a text: colours and shapes, the end, associations, a question
    longest = 4 * first.n_to + 3 + int(first.marker)
    n_trained = longest if first.decoder.position == "learned" else None
    yield from closing(store, ids, n_from=first.n_from, n_to=first.n_to, n_positions=n_trained)
