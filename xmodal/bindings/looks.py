"""Looks into trained decoders: interventions, knockouts, linear probes, shifts of runs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
from torch import Tensor

from taxonomy.errors import ConfigError, DataError
from taxonomy.hashing import hash63
from taxonomy.model import one_of
from xmodal.binding.decoder import Decoder
from xmodal.binding.examples import as_ordered
from xmodal.binding.interchange import ANSWERS, interchange
from xmodal.binding.knockout import knockout
from xmodal.binding.linear_probe import linear_probes
from xmodal.binding.own_subject import OwnSubject
from xmodal.binding.probe_folder import ProbeFacts, find_probe, write_probe
from xmodal.binding.render import render
from xmodal.binding.run_folder import BindingFolder, load_decoder
from xmodal.binding.scenes import Places, draw_places
from xmodal.binding.shifted import SHIFTS, shifted
from xmodal.binding.shown import SceneSet, load_scene_set
from xmodal.binding.subject import Subject
from xmodal.binding.task import Layout, Scenes, draw_scenes, generators
from xmodal.binding.vocabulary import EXPANDED, Vocabulary
from xmodal.binding_tables import RUN_WEIGHTS
from xmodal.features.encoders.load import load_encoder
from xmodal.files import file_sha256
from xmodal.jobs import runs_dir, sync_lines
from xmodal.machine import device_meant
from xmodal.progress import counter
from xmodal.store import Store
from xmodal.store.ids import resolve_id

SHIFT = "shift"
KINDS = ("interchange", "knockout", "linear", SHIFT)
STEPS = ("last", "kept")
_RUNS = "SELECT run_id, scene_set_id, uses_expansion FROM binding_run ORDER BY run_id"
_SET_PATH = "SELECT path FROM scene_set WHERE scene_set_id = $id"


@dataclass(frozen=True, kw_only=True)
class Look:
    """What is looked for."""

    kinds: tuple[str, ...] = ("interchange",)
    """Of KINDS."""
    context: str = "text"
    vocabulary: str = "base"
    objects: tuple[int, ...] = ()
    """Objects of a scene; none for the most that training shows, and twice as many or as there
    are words for."""
    n_examples: int = 512
    """Scenes of each number of objects."""
    steps: str = "last"
    """last, or kept: at every kept copy of the weights."""
    width: int = 1
    """Blocks of a window of knockouts."""
    as_published: bool = False
    answers: str = "open"
    """Of interchange, what counts as an answer: see interchange.ANSWERS."""
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        for kind in self.kinds:
            one_of("kind", kind, KINDS)
        one_of("steps", self.steps, STEPS)
        one_of("context", self.context, ("text", "image"))
        one_of("vocabulary", self.vocabulary, ("base", "expanded"))
        if self.n_examples < 2:
            raise ConfigError(f"n_examples must be at least 2, got {self.n_examples}")
        one_of("answers", self.answers, ANSWERS)
        if self.as_published and "interchange" not in self.kinds:
            raise ConfigError("as_published goes with interchange interventions")
        if SHIFT in self.kinds and self.context != "text":
            raise ConfigError(
                f"kind {SHIFT} is of text, got context {self.context!r}: take --context text"
            )


def look_into(store: Path, runs: Sequence[str], look: Look) -> Iterator[str]:
    """Look into runs, unless that was done, and sync.

    Args:
        store: The DuckDB file; folders of probes lie beside it.
        runs: Ids, or beginnings; none for every binding run of the store that was trained on
            such contexts and words.
        look: What for.

    Yields:
        A line a probe, then the sync's counts and problems.

    Raises:
        ConfigError: Too few objects, or a context or vocabulary that a run was not trained on.
        StoreError: No such run.
        DataError: A run's folder lost its weights.
    """
    device = torch.device(device_meant(look.device))
    with Store.open(store, read_only=True) as opened:
        rows = opened.query(_RUNS).to_pylist()
        sets = {row["run_id"]: row["scene_set_id"] for row in rows}
        paths = {
            one: Path(opened.query(_SET_PATH, {"id": one})["path"][0].as_py())
            for one in set(sets.values()) - {None}
        }
    lacks = {}
    for row in rows:
        if look.context == "image" and row["scene_set_id"] is None:
            lacks[row["run_id"]] = "has seen no image: take --context text"
        elif look.vocabulary == "expanded" and not row["uses_expansion"]:
            lacks[row["run_id"]] = "never saw the expanded vocabulary: take --vocabulary base"
    chosen = [resolve_id("binding run", one, list(sets)) for one in runs]
    for run_id in chosen:
        if run_id in lacks:
            raise ConfigError(f"run {run_id} {lacks[run_id]}")
    chosen = chosen or [run_id for run_id in sets if run_id not in lacks]
    if not chosen:
        what = "" if not lacks else f" with context {look.context}, vocabulary {look.vocabulary}"
        raise DataError(f"no binding run{what} in {store}: `xmodal binding train` makes one")
    if not runs:
        yield from left_out(lacks.values())
    todo = [
        (run_id, step, path) for run_id in chosen for step, path in _weights(store, run_id, look)
    ]
    with counter("probes") as move:
        for done, (run_id, step, path) in enumerate(todo):
            move(done, len(todo))
            shown = None
            if look.context == "image":
                shown = load_scene_set(store.parent / paths[sets[run_id]])
            yield from _look(store.parent, run_id, step, path, look, device, shown)
        move(len(todo), len(todo))
    yield from sync_lines(store)


def left_out(why: Iterable[str]) -> Iterator[str]:
    """How many runs of a store are not looked into where none is named, and why.

    Args:
        why: Of each what it lacks, a colon, and what to do.
    """
    for reason, n in sorted(Counter(why).items()):
        lacks, _, do = reason.partition(": ")
        which = "run left out, which" if n == 1 else "runs left out, each of which"
        yield f"{n} {which} {lacks}; for {'it' if n == 1 else 'those'} {do}"


def _weights(store: Path, run_id: str, look: Look) -> list[tuple[int, Path]]:
    """Step and file of the weights to look into."""
    folder = BindingFolder(runs_dir(store) / run_id)
    if look.steps == "kept":
        kept = list(folder.kept().items())
        if kept:
            return kept
    record = folder.record()
    if record is None:
        raise DataError(f"{folder.path} is missing: run {run_id} cannot be looked into")
    return [(int(record["n_steps"]), folder.path / RUN_WEIGHTS)]


def _look(
    store_dir: Path,
    run_id: str,
    step: int,
    path: Path,
    look: Look,
    device: torch.device,
    shown: SceneSet | None,
) -> Iterator[str]:
    decoder, said = load_decoder(path)
    objects = look.objects or _usual(said)
    digest = file_sha256(path)
    for kind in look.kinds:
        settings: dict[str, Any] = {"objects": list(objects), **settings_of(kind, look)}
        if shown is not None:
            settings["pictures"] = shown.record.sha256
        facts = ProbeFacts(
            kind=kind, run_id=run_id, step=step, run_weights=digest, context=look.context,
            vocabulary=look.vocabulary, n_layers=decoder.n_layers, n_examples=look.n_examples,
            as_published=look.as_published and kind == "interchange", seed=look.seed,
            settings=settings,
        )  # fmt: skip
        there = find_probe(store_dir, facts)
        if there is not None:
            yield f"{facts.probe_id} is there: {there}"
            continue
        began = time.perf_counter()
        table = _table(kind, decoder.to(device), said, look, objects, shown, device)
        made = write_probe(
            store_dir, facts, table, seconds=time.perf_counter() - began, device=str(device)
        )
        yield f"{facts.probe_id} made: {made}"
        if kind == SHIFT:
            yield from _left_out(table, decoder.config.n_positions)


def _left_out(table: pa.Table, n_positions: int) -> Iterator[str]:
    """What was not asked, as the text would leave learned positions."""
    asked: dict[int, list[int]] = {}
    for row in table.to_pylist():
        asked.setdefault(row["n_objects"], []).append(row["shift"])
    for n, there in asked.items():
        if lost := [str(one) for one in SHIFTS if one not in there]:
            yield (
                f"with {n} objects not shifted by {', '.join(lost)}: learned positions end at "
                f"{n_positions - 1}"
            )


def _usual(said: Mapping[str, Any]) -> tuple[int, ...]:
    """As many objects as training shows, 4 at least, and twice as many; where there are words."""
    fewest, most = max(4, said["n_to"]), min(said["vocabulary"].values())
    return (fewest, min(2 * fewest, most)) if most > fewest else (fewest,)


def _table(
    kind: str,
    decoder: Decoder,
    said: Mapping[str, Any],
    look: Look,
    objects: Sequence[int],
    shown: SceneSet | None,
    device: torch.device,
) -> pa.Table:
    """The result of a probe."""
    words = EXPANDED if look.vocabulary == "expanded" else Vocabulary(**said["vocabulary"])
    layout = Layout(context=look.context, order=said["order"], marker=said["marker"])
    pictures = None if shown is None else pictures_of(shown)
    subject = OwnSubject(decoder, layout, pictures)
    scenes = [
        as_ordered(
            draw_scenes(generators([look.seed], kind, n, device=device), look.n_examples, n, words),
            layout,
        )
        for n in objects
    ]
    return shifted(subject, scenes) if kind == SHIFT else look_at(kind, look)(subject, scenes)


def look_at(kind: str, look: Look) -> Callable[[Subject, Sequence[Scenes]], pa.Table]:
    """The probe of a kind, as a function of who is looked into and of scenes.

    Args:
        kind: Of KINDS but for shift, which is of decoders of this package alone.
        look: Its settings.

    Raises:
        ConfigError: A kind that LMs are not looked into by.
    """
    if kind == SHIFT:
        raise ConfigError(f"kind {SHIFT} is of runs: LMs are not asked at shifted positions")

    def run(subject: Subject, scenes: Sequence[Scenes]) -> pa.Table:
        if kind == "knockout":
            return knockout(subject, scenes, width=look.width, seed=look.seed)
        if kind == "linear":
            return linear_probes(subject, scenes, seed=look.seed)
        return interchange(
            subject, scenes, seed=look.seed, as_published=look.as_published, answers=look.answers
        ).table

    return run


def settings_of(kind: str, look: Look) -> dict[str, Any]:
    """What of a look decides the result of one kind alone."""
    if kind == "interchange" and look.answers != "open":
        return {"answers": look.answers}
    return {"width": look.width} if kind == "knockout" else {}


def pictures_of(shown: SceneSet) -> Callable[[Scenes], Tensor]:
    """What makes image tokens of any scenes, drawn and encoded as those of a set were.

    Where the objects of a scene stand follows from the scene's own random numbers, which a
    counterfactual shares: its picture differs in what is swapped alone.

    Args:
        shown: The set whose encoder, layout and standardisation are used.
    """
    encoder = load_encoder(shown.record.config.features)
    mean, std = (torch.tensor(one) for one in (shown.record.mean, shown.record.std))

    def make(scenes: Scenes) -> Tensor:
        places = [
            draw_places(
                torch.Generator().manual_seed(hash63("places", *gaps.tolist())),
                1,
                scenes.n_objects,
                shown.record.config.layout,
            )
            for gaps in scenes.gaps[0].cpu()
        ]
        at = Places(
            torch.cat([one.centres for one in places]), torch.cat([one.sizes for one in places])
        )
        pixels = render(
            scenes.colours[0].cpu(), scenes.shapes[0].cpu(), at, encoder.preparation.side
        )
        tokens = torch.cat(
            [encoder.encode(part) for part in torch.split(pixels, encoder.batch_size)]
        )
        # as tokens on disk are: rounded to half precision before they are standardised
        return (tokens.half().float() - mean) / std

    return make
