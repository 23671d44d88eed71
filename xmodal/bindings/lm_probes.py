"""LMs and the language part of VLMs, asked in words: retrieval and interchange interventions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from taxonomy.errors import ConfigError
from taxonomy.hashing import content_id
from xmodal.binding.hf_subject import HuggingFaceSubject
from xmodal.binding.probe_folder import ProbeFacts, find_probe, read_table, write_probe
from xmodal.binding.retrieval import CPU_TOKENS, GPU_TOKENS, check_asked, retrieval
from xmodal.binding.subject import Subject
from xmodal.binding.task import Scenes, draw_scenes, generators
from xmodal.binding.word_templates import Words, WordTemplate, word_template
from xmodal.binding.words_task import WordTask, common_words
from xmodal.jobs import sync_lines
from xmodal.lms.causal import LanguageModel, load_lm
from xmodal.machine import device_meant
from xmodal.progress import counter

VOCABULARY = "words"
"""Of these probes, as their record says."""


LookAt = Callable[[Subject, Sequence[Scenes]], pa.Table]
"""A probe of a subject: its table, from scenes of one run for each number of objects."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Which LMs are asked, and how."""

    lm: str | None = None
    """embedded, a folder or a hub name of a causal LM."""
    vlm_lm: str | None = None
    """A folder or hub name of a vision-language model, whose language part is asked; both make a
    pair, which is asked in the words that both know."""
    revision: str | None = None
    """Of lm, or of vlm_lm where it is alone."""
    vlm_revision: str | None = None
    """Of vlm_lm."""
    objects: tuple[int, ...] = (4, 8, 16)
    """Objects of a scene."""
    n_examples: int = 200
    """Scenes of each number of objects."""
    template: str = "plain"
    several: bool = False
    """Allow words of several tokens; then the first token of an item stands for it."""
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.lm is None and self.vlm_lm is None:
            raise ConfigError("nothing is asked: give an lm, a vlm_lm or both")
        check_asked(self.objects, self.n_examples)
        if self.vlm_revision is not None and self.vlm_lm is None:
            raise ConfigError(f"vlm_revision goes with a vlm_lm, got {self.vlm_revision!r}")
        if self.revision is not None and self.lm is None and self.vlm_revision is not None:
            raise ConfigError("revision and vlm_revision name one model: give one of the two")
        word_template(self.template)

    def models(self) -> list[tuple[str, bool, str | None]]:
        """Name, whether it is a VLM, and revision of each."""
        found: list[tuple[str, bool, str | None]] = []
        if self.lm is not None:
            found.append((self.lm, False, self.revision))
        if self.vlm_lm is not None:
            alone = self.revision if self.lm is None else None
            found.append((self.vlm_lm, True, self.vlm_revision or alone))
        return found


def retrieve(store: Path, asked: Asked) -> Iterator[str]:
    """Ask LMs the retrieval task by the number of objects, unless that was done, and sync.

    Args:
        store: The DuckDB file; folders of probes lie beside it.
        asked: Who and how.

    Yields:
        A line for each LM and number of objects, then the sync's counts and problems.

    Raises:
        ConfigError: Too few words, or an LM that cannot be asked.
        DataError: An LM that cannot be loaded.
    """

    def ask(subject: HuggingFaceSubject, words: Words) -> pa.Table:
        total = len(asked.objects) * asked.n_examples
        budget = CPU_TOKENS if subject.lm.device.type == "cpu" else GPU_TOKENS
        with counter(subject.lm.name) as move:
            done = 0
            move(done, total)

            def on_batch(n: int) -> None:
                nonlocal done
                done += n
                move(done, total)

            return retrieval(
                subject, words, asked.objects, n_examples=asked.n_examples, seed=asked.seed,
                batch_tokens=budget, on_batch=on_batch,
            )  # fmt: skip

    for name, said, table in _each(store.parent, asked, "retrieval", ask):
        yield said
        for row in table.to_pylist():
            n = row["n_questions"]
            yield (
                f"{name}, {row['n_objects']} objects, {row['n_tokens']:.0f} tokens: "
                f"{row['n_right'] / n:.3f} right among the scene's items, "
                f"{row['n_right_open'] / n:.3f} among all words, of {n}"
            )
    yield from sync_lines(store)


def probe_lms(
    store: Path,
    asked: Asked,
    kind: str,
    look_at: LookAt,
    *,
    as_published: bool = False,
    settings: Mapping[str, Any] | None = None,
) -> Iterator[str]:
    """Look into LMs, unless that was done; the caller syncs.

    Args:
        store: The DuckDB file; folders of probes lie beside it.
        asked: Who and how.
        kind: interchange, knockout or linear.
        look_at: The probe.
        as_published: Interchange draws s and t as the authors did.
        settings: Of the probe, which decide its result.

    Yields:
        A line for each LM.

    Raises:
        ConfigError: Too few words or objects, or an LM that cannot be looked into.
        DataError: An LM that cannot be loaded.
    """

    def ask(subject: HuggingFaceSubject, words: Words) -> pa.Table:
        scenes = [
            draw_scenes(generators([asked.seed], kind, n), asked.n_examples, n, words)
            for n in asked.objects
        ]
        return look_at(subject, scenes)

    for _, said, _ in _each(store.parent, asked, kind, ask, as_published, settings):
        yield said


def _each(
    store_dir: Path,
    asked: Asked,
    kind: str,
    ask: Callable[[HuggingFaceSubject, Words], pa.Table],
    as_published: bool = False,
    settings: Mapping[str, Any] | None = None,
) -> Iterator[tuple[str, str, pa.Table]]:
    """Name, one line, and the table of each LM; what was done is read."""
    device = device_meant(asked.device)
    template = word_template(asked.template)
    models = asked.models()
    lms = [
        load_lm(name, revision=revision, device=device, is_vlm=is_vlm)
        for name, is_vlm, revision in models
    ]
    words = common_words(lms, template, max(asked.objects), several=asked.several)
    pair = None if len(lms) == 1 else content_id({"pair": [lm.sha256 for lm in lms]})
    for lm, (_, is_vlm, _) in zip(lms, models, strict=True):
        subject = HuggingFaceSubject(WordTask(lm, words, template, several=asked.several))
        facts = ProbeFacts(
            kind=kind,
            lm=lm.name,
            lm_revision=lm.revision,
            lm_hash=lm.sha256,
            is_vlm=is_vlm,
            pair_id=pair,
            vocabulary=VOCABULARY,
            n_layers=subject.n_layers,
            n_examples=asked.n_examples,
            as_published=as_published,
            seed=asked.seed,
            settings=_settings(asked, template, words, lm) | dict(settings or {}),
        )
        there = find_probe(store_dir, facts)
        if there is not None:
            yield lm.name, f"{facts.probe_id} is there: {there}", read_table(there, kind)
            continue
        start = time.perf_counter()
        table = ask(subject, words)
        folder = write_probe(
            store_dir, facts, table, seconds=time.perf_counter() - start, device=device
        )
        yield lm.name, f"{facts.probe_id} probed: {folder}", table


def _settings(
    asked: Asked, template: WordTemplate, words: Words, lm: LanguageModel
) -> dict[str, Any]:
    """What decides the prompts beside the LM's weights."""
    return {
        "objects": list(asked.objects),
        "template": asdict(template),
        "words": {kind: list(of) for kind, of in asdict(words).items()},
        "several_tokens": asked.several,
        "start_tokens": lm.start_ids,
        "dtype": str(lm.dtype).removeprefix("torch."),
    }
