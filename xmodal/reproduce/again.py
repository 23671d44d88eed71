"""Make a run again from what is stored of it, beside the store, and say whether it is the same."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from taxonomy.errors import ConfigError, DataError, StoreError
from xmodal.files import make_folder
from xmodal.jobs import runs_dir
from xmodal.machine import device_meant
from xmodal.progress import counter
from xmodal.provenance import git_commit, setup, versions
from xmodal.reproduce.compare import Compared
from xmodal.reproduce.parts import Asked, Rerun, check_steps
from xmodal.reproduce.verdict import Reproduction
from xmodal.store import Store
from xmodal.store.run_files import as_synced
from xmodal.store.traced import NONE, UNKNOWN, Traced, find_run, provenance

_MACHINE = ("precision", "threads", "platform", "processor")


def reproduce(
    store: Path,
    run_id: str,
    *,
    tolerance: float = 0.0,
    output: Path | None = None,
    steps: int | None = None,
    device: str | None = None,
    trust_features: bool = False,
    together: bool = False,
) -> Reproduction:
    """Make a run again and hold it against what is stored; the store and its runs stay as they are.

    It is made from recipe, seeds, manifest, features and LM as they are stored, with as many
    threads as then, whatever its command line said.

    Args:
        store: The DuckDB file; runs and features lie beside it.
        run_id: Id of a projector run, an alignment or a decoder, or its beginning.
        tolerance: Largest difference of weights, metrics, logits, cosines or shares of right
            answers that is called equal.
        output: Folder for the run made again, new or empty; None to keep nothing.
        steps: Make only so many steps, and compare what was noted until then.
        device: Where to compute; None for the run's own.
        trust_features: Do not ask whether the encoder, and an alignment's LM, are still here:
            features are stored, and training needs no more.
        together: Make the runs again, too, that trained in one pass or one batched model with it,
            as sums are rounded by that; else the run is made alone.

    Raises:
        ConfigError: A setting out of range, or a device that is not here.
        DataError: What the run was made from is gone or has changed; the first such thing is
            named, before any work.
        StoreError: An id that is unknown or ambiguous.
    """
    if not 0 <= tolerance < math.inf:
        raise ConfigError(f"tolerance must be at least 0 and finite, got {tolerance}")
    kind, asked, then = _found(store, run_id, device, trust_features, together)
    if steps is None:
        _check_files(then, runs_dir(store) / asked.run_id)
    else:
        check_steps(asked, steps)
    _check_output(output, store)
    with _threads(then["machine"]["threads"]):
        parts = _made(_prepared(kind, asked), steps, output)
        environment = environment_of(then, asked.device)
    folder = runs_dir(store) / asked.run_id
    changed = as_synced(folder, kind, asked.row["content_hash"]) is False
    return Reproduction(
        run_id=asked.run_id,
        kind=kind,
        tolerance=tolerance,
        steps=steps,
        parts=parts,
        environment=environment,
        notes=[*asked.notes, *_notes(then, changed)],
        changed=changed,
        folder=None if output is None or steps is not None else output / asked.run_id,
    )


def _found(
    store: Path, run_id: str, device: str | None, trust_features: bool, together: bool
) -> tuple[str, Asked, Traced]:
    """Kind of a run, what is to be made again, and what it was made from."""
    with Store.open(store, read_only=True) as opened:
        kind, row = find_run(opened, run_id)
        if kind == "released":
            raise DataError(f"run {row['run_id']} is a released one: nothing here trained it")
        then = provenance(opened, row["run_id"])
        members = _members(opened, then) if together else ()
    asked = Asked(
        store=store,
        row=row,
        device=device_meant(device or row["device"]),
        trust_features=trust_features,
        together=members,
    )
    return kind, asked, then


def _notes(then: Traced, changed: bool) -> Iterator[str]:
    """What bears on any run's verdict."""
    if then["run"]["git_dirty"] is True:
        yield "the run's code had changes that are in no commit"
    if changed:
        yield (
            "the run's folder is not what was brought into the store: `xmodal store sync` brings "
            "it in as it is now"
        )


def _members(store: Store, then: Traced) -> Sequence[Mapping[str, Any]]:
    """Rows of the runs that trained in one, in their order; none for a run alone.

    Raises:
        DataError: It was not kept which they are, or one is not in the store.
    """
    run_id, said = then["run"]["run_id"], then["run"]["together"]
    if said == UNKNOWN:
        raise DataError(
            f"run {run_id} trained with others, and it was not kept in which order: leave "
            "--together out to make it alone"
        )
    if said == NONE:
        return ()
    there = {row["run_id"]: row for row in (_row(store, one) for one in said) if row is not None}
    if lacks := [one for one in said if one not in there]:
        raise DataError(
            f"run {lacks[0]}, which trained with {run_id}, is not in the store: leave --together "
            "out to make it alone"
        )
    return [there[one] for one in said]


def _row(store: Store, run_id: str) -> Mapping[str, Any] | None:
    try:
        return find_run(store, run_id)[1]
    except StoreError:
        return None


def _prepared(kind: str, asked: Asked) -> Rerun:
    """The run with everything that it is made from."""
    if kind == "projector":
        from xmodal.reproduce.projectors import projector_rerun

        return projector_rerun(asked)
    if kind == "alignment":
        from xmodal.reproduce.alignments import alignment_rerun

        return alignment_rerun(asked)
    from xmodal.reproduce.decoders import decoder_rerun

    return decoder_rerun(asked)


def _made(rerun: Rerun, steps: int | None, output: Path | None) -> list[Compared]:
    """Make the run, or its first steps, and compare."""
    with counter("steps") as move, tempfile.TemporaryDirectory(prefix="xmodal-") as name:

        def on_step(step: int, total: int, loss: float) -> None:
            move(step, total)

        if steps is not None:
            return rerun.first(steps, on_step)
        if output is not None:
            make_folder(output, "the folder of the run")
        return rerun.whole(output or Path(name), on_step)


def environment_of(then: Traced, device: str) -> list[tuple[str, Any, Any]]:
    """What differs between a run's environment and this one, as (name, then, now).

    Args:
        then: Of the run.
        device: Where it was made again.
    """
    precision = then["machine"]["precision"]
    here: Mapping[str, Any] = setup(device, precision)
    dirty = here["git_dirty"]
    pairs = [
        *((name, then["versions"].get(name, UNKNOWN), now) for name, now in versions().items()),
        ("git_commit", then["run"]["git_commit"], git_commit() or UNKNOWN),
        ("git_dirty", then["run"]["git_dirty"], UNKNOWN if dirty is None else dirty),
        ("device", then["machine"]["device"], device),
        *((name, then["machine"][name], here[name]) for name in _MACHINE),
    ]
    return [pair for pair in pairs if pair[1] != pair[2]]


@contextmanager
def _threads(wanted: Any) -> Iterator[None]:
    """As many threads as the run had, where that is known: sums depend on them."""
    import torch

    before = torch.get_num_threads()
    if isinstance(wanted, int):
        torch.set_num_threads(wanted)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _check_files(then: Traced, folder: Path) -> None:
    """Refuse a run whose files are gone, or whose weights cannot be read."""
    from safetensors import SafetensorError, safe_open

    lacks = [name for name, said in then["files"].items() if said == UNKNOWN and "." in name]
    if lacks:
        raise DataError(
            f"run {folder.name} has no {lacks[0]} in {then['files']['folder']} beside the store: "
            "there is nothing to hold it against; --steps compares what the store holds"
        )
    for name in then["files"]:
        if name.endswith(".safetensors"):
            try:
                with safe_open(folder / name, "pt"):
                    pass
            except (OSError, SafetensorError) as error:
                raise DataError(f"{folder / name} cannot be read ({error})") from error


def _check_output(output: Path | None, store: Path) -> None:
    """Refuse a folder that holds something, or that a sync would read."""
    if output is None:
        return
    if output.resolve().is_relative_to(runs_dir(store).resolve()):
        raise ConfigError(f"output must not lie among the store's runs, got {output}")
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise ConfigError(f"output must be a new or empty folder, got {output}")
