"""`xmodal binding probe`: looks into decoders and LMs."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.errors import user_errors
from cli.lists import listed
from cli.options import DEFAULT_STORE, StorePath


@user_errors
def probe(
    runs: Annotated[
        list[str] | None,
        typer.Argument(help="Ids of binding runs, or beginnings.  [default: every one]"),
    ] = None,
    store: StorePath = DEFAULT_STORE,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            help="interchange: patch the last token with a counterfactual's; knockout: cut "
            "attention edges; linear: read attributes off tokens; shift: ask a text at shifted "
            "positions (runs alone); may be repeated.  [default: interchange]"
        ),
    ] = None,
    context: Annotated[str, typer.Option(help="text or image.")] = "text",
    vocabulary: Annotated[str, typer.Option(help="base or expanded.")] = "base",
    objects: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated numbers of objects, 4 or more for interchange.  [default: the "
            "most that training shows, and twice as many; of LMs 4,8,16]"
        ),
    ] = None,
    n_examples: Annotated[
        int | None,
        typer.Option("--n", help="Scenes of each number of objects.  [default: 512; of LMs 200]"),
    ] = None,
    steps: Annotated[
        str, typer.Option(help="last; or kept: at every kept copy of a run's weights.")
    ] = "last",
    width: Annotated[int, typer.Option(help="Blocks of a window of knockouts.")] = 1,
    as_published: Annotated[
        bool,
        typer.Option(
            "--as-published",
            help="Draw the two swaps independently, as the authors did: where they coincide, "
            "symbolic and reflexive cannot be told apart, which is counted.",
        ),
    ] = False,
    answers: Annotated[
        str | None,
        typer.Option(
            help="Of interchange: open, the highest of the whole vocabulary; scene, the highest "
            "of the scene's items.  [default: open; of LMs scene]"
        ),
    ] = None,
    lm: Annotated[
        str | None,
        typer.Option(help="In place of runs: a folder or a hub name of a causal LM."),
    ] = None,
    vlm_lm: Annotated[
        str | None,
        typer.Option(
            help="A folder or hub name of a vision-language model, whose language part is probed; "
            "with --lm both are asked in the words that both know."
        ),
    ] = None,
    revision: Annotated[str | None, typer.Option(help="Revision of a hub model.")] = None,
    vlm_revision: Annotated[
        str | None, typer.Option(help="Revision of --vlm-lm beside --lm.")
    ] = None,
    template: Annotated[
        str, typer.Option(help="Of LMs: plain or sentences, how scenes are said.")
    ] = "plain",
    seed: Annotated[int, typer.Option(help="Of scenes, swaps and controls.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
) -> None:
    """Look into decoders, step by step if asked, or into LMs; sync.

    `xmodal query @binding-mechanism`, `@binding-ratio` and `@binding-shift` show what came out.
    """
    from xmodal.bindings.asked import probe_asked

    for line in probe_asked(
        store, runs or (), kinds=kind or (), context=context, vocabulary=vocabulary,
        objects=listed("objects", objects, int) if objects else (), n_examples=n_examples,
        steps=steps, width=width, as_published=as_published, answers=answers, lm=lm,
        vlm_lm=vlm_lm, revision=revision, vlm_revision=vlm_revision, template=template, seed=seed,
        device=device,
    ):  # fmt: skip
        typer.echo(line)
