"""What `xmodal binding probe` is asked for: runs, or LMs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from taxonomy.errors import ConfigError
from xmodal.binding.interchange import interchange
from xmodal.binding.subject import Subject
from xmodal.binding.task import Scenes
from xmodal.bindings.lm_probes import Asked, interchange_lms
from xmodal.bindings.looks import Look, look_into


def probe_asked(
    store: Path,
    runs: Sequence[str] = (),
    *,
    kinds: Sequence[str] = (),
    context: str = "text",
    vocabulary: str = "base",
    objects: Sequence[int] = (),
    n_examples: int | None = None,
    steps: str = "last",
    width: int = 1,
    as_published: bool = False,
    lm: str | None = None,
    vlm_lm: str | None = None,
    seed: int = 0,
    device: str = "auto",
) -> Iterator[str]:
    """Look into runs, or into LMs; see look_into and interchange_lms.

    Raises:
        ConfigError: Settings that do not go together.
    """
    asked_kinds = tuple(dict.fromkeys(kinds or ("interchange",)))
    if lm is None and vlm_lm is None:
        look = Look(
            kinds=asked_kinds, context=context, vocabulary=vocabulary, objects=tuple(objects),
            n_examples=512 if n_examples is None else n_examples, steps=steps, width=width,
            as_published=as_published, seed=seed, device=device,
        )  # fmt: skip
        yield from look_into(store, runs, look)
        return
    if runs:
        raise ConfigError("runs and LMs are probed apart: give runs, or --lm and --vlm-lm")
    if asked_kinds != ("interchange",) or context != "text" or steps != "last":
        raise ConfigError("LMs are probed by interchange interventions in text alone")

    def intervene(
        subject: Subject, scenes: Sequence[Scenes], *, seed: int, as_published: bool
    ) -> pa.Table:
        return interchange(subject, scenes, seed=seed, as_published=as_published).table

    of = Asked(
        lm=lm, vlm_lm=vlm_lm, objects=tuple(objects) or (4, 8, 16),
        n_examples=200 if n_examples is None else n_examples, seed=seed, device=device,
    )  # fmt: skip
    yield from interchange_lms(store, of, intervene, as_published=as_published)
