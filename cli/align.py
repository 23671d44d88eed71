"""`xmodal align`: how visual frozen language models are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.errors import user_errors
from cli.options import DEFAULT_STORE, Dataset, StorePath

app = typer.Typer(
    help="How well frozen LMs align with frozen image features.", no_args_is_help=True
)


@app.command("features")
@user_errors
def features(
    store: StorePath = DEFAULT_STORE,
    dataset: Dataset = None,
    lm: Annotated[
        str,
        typer.Option(
            help="embedded, embedded-parts, a local folder, or a name on the model hub; a decoder "
            "or an encoder."
        ),
    ] = "embedded",
    lm_init: Annotated[
        str, typer.Option(help="pretrained; random; scrambled (embedded only).")
    ] = "pretrained",
    revision: Annotated[str | None, typer.Option(help="Revision of a hub model.")] = None,
    seed: Annotated[int, typer.Option(help="Of random weights.")] = 0,
    template: Annotated[
        list[str] | None,
        typer.Option(
            help="name, photo, gloss, shows, or a text with {name}, {phrase} or {gloss}; repeated, "
            "a class has the mean of its vectors.  [default: name]"
        ),
    ] = None,
    role: Annotated[str, typer.Option(help="Classes: leaf, inner or hypernym.")] = "leaf",
    texts: Annotated[
        Path | None,
        typer.Option(
            help="Read these texts in place of classes: .txt, one a line, or .parquet with a "
            "column caption or text."
        ),
    ] = None,
    pooling: Annotated[
        str | None,
        typer.Option(
            "--pool",
            "--pooling",
            help="last: of the last token; mean: of the text's own tokens; eos; cls; s2: as in the "
            "paper's code, the last token of encoders too.  [default: last for decoders, mean for "
            "encoders]",
        ),
    ] = None,
    layer: Annotated[
        str, typer.Option(help="last, penultimate, or the number of a block.")
    ] = "last",
    longest: Annotated[int, typer.Option(help="Tokens of a text, at most.")] = 512,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    batch_tokens: Annotated[
        int | None,
        typer.Option(help="Tokens of a batch.  [default: 4,096 on a CPU, else 65,536]"),
    ] = None,
) -> None:
    """Read class names or captions with a frozen LM; a second call does nothing.

    What was stopped goes on where it was.
    """
    from xmodal.alignments import ensure_text_features
    from xmodal.progress import counter

    with counter("texts") as progress:
        made, new = ensure_text_features(
            store, lm=lm, lm_init=lm_init, revision=revision, seed=seed, dataset=dataset,
            templates=template or ["name"], role=role, texts=texts, pooling=pooling, layer=layer,
            longest=longest, device=device, batch_tokens=batch_tokens, progress=progress,
        )  # fmt: skip
    said = "made" if new else "is there"
    typer.echo(f"{made.text_feature_set_id} {said}: {made.path}")
    for n, what in (
        (made.n_unknown, f"hold a word that {lm} does not know"),
        (made.n_cut, f"were cut at {made.longest} tokens"),
    ):
        if n:
            typer.echo(f"{n} of {made.n_texts} texts {what}", err=True)
