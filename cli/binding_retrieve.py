"""`xmodal binding retrieve`: what LMs retrieve from texts, by the number of objects."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.errors import user_errors
from cli.lists import listed
from cli.options import DEFAULT_STORE, StorePath


@user_errors
def retrieve(
    lm: Annotated[
        str | None, typer.Option(help="A local folder, or a name on the model hub.")
    ] = None,
    vlm_lm: Annotated[
        str | None,
        typer.Option(
            help="A vision-language model, a local folder or a name on the hub, whose language "
            "part is asked; with --lm the two are compared in the words that both know."
        ),
    ] = None,
    revision: Annotated[
        str | None, typer.Option(help="Commit, tag or branch of --lm, or of --vlm-lm alone.")
    ] = None,
    vlm_revision: Annotated[
        str | None, typer.Option(help="Commit, tag or branch of --vlm-lm.")
    ] = None,
    objects: Annotated[
        str, typer.Option(help="Objects of a scene, with commas between: each makes a length.")
    ] = "4,8,16",
    n: Annotated[int, typer.Option("--n", help="Questions of each number of objects.")] = 200,
    template: Annotated[str, typer.Option(help="plain: pairs of words; or sentences.")] = "plain",
    several_tokens: Annotated[
        bool,
        typer.Option(
            "--several-tokens",
            help="Allow words of several tokens; the first token of an item then stands for it.",
        ),
    ] = False,
    seed: Annotated[int, typer.Option(help="Of scenes and questions.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Ask LMs the two-hop retrieval task in words, and sync."""
    from xmodal.bindings.lm_probes import Asked
    from xmodal.bindings.lm_probes import retrieve as ask

    asked = Asked(
        lm=lm, vlm_lm=vlm_lm, revision=revision, vlm_revision=vlm_revision,
        objects=tuple(listed("objects", objects, int)), n_examples=n, template=template,
        several=several_tokens, seed=seed, device=device,
    )  # fmt: skip
    for line in ask(store, asked):
        typer.echo(line)
