"""What `xmodal binding probe` is asked for: runs, or LMs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from taxonomy.errors import ConfigError
from xmodal.bindings.lm_probes import Asked, probe_lms
from xmodal.bindings.looks import Look, look_at, look_into, settings_of
from xmodal.jobs import sync_lines
from xmodal.store import need_store


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
    answers: str | None = None,
    lm: str | None = None,
    vlm_lm: str | None = None,
    revision: str | None = None,
    vlm_revision: str | None = None,
    template: str = "plain",
    seed: int = 0,
    device: str = "auto",
) -> Iterator[str]:
    """Look into runs, or into LMs; see look_into and probe_lms.

    Unless it is said what answers an interchange takes, they are open of runs, and the scene's of
    LMs, whose highest of all words is often none of the task's.

    Raises:
        ConfigError: Settings that do not go together.
        StoreError: There is no store that runs could be in.
    """
    usual, among = (512, "open") if lm is None and vlm_lm is None else (200, "scene")
    look = Look(
        kinds=tuple(dict.fromkeys(kinds or ("interchange",))), context=context,
        vocabulary=vocabulary, objects=tuple(objects),
        n_examples=usual if n_examples is None else n_examples, steps=steps, width=width,
        as_published=as_published, answers=among if answers is None else answers, seed=seed,
        device=device,
    )  # fmt: skip
    if answers is not None and "interchange" not in look.kinds:
        raise ConfigError(f"answers goes with interchange interventions, got {answers!r}")
    if lm is None and vlm_lm is None:
        if revision is not None or vlm_revision is not None or template != "plain":
            raise ConfigError("revisions and template are of LMs: give --lm or --vlm-lm")
        need_store(store, "`xmodal binding train`")
        yield from look_into(store, runs, look)
        return
    if runs:
        raise ConfigError("runs and LMs are probed apart: give runs, or --lm and --vlm-lm")
    if (context, vocabulary, steps) != ("text", "base", "last"):
        raise ConfigError("context, vocabulary and steps are of runs: LMs are probed in words")
    of = Asked(
        lm=lm, vlm_lm=vlm_lm, revision=revision, vlm_revision=vlm_revision,
        objects=tuple(objects) or (4, 8, 16), n_examples=look.n_examples, template=template,
        seed=seed, device=device,
    )  # fmt: skip
    each = [(kind, look_at(kind, look)) for kind in look.kinds]
    for kind, ask in each:
        # of LMs the record says which answers, whichever: neither goes without saying
        said = {"answers": look.answers} if kind == "interchange" else {}
        yield from probe_lms(
            store, of, kind, ask, settings=settings_of(kind, look) | said,
            as_published=as_published and kind == "interchange",
        )  # fmt: skip
    yield from sync_lines(store)
