"""`xmodal probe`: what an LM knows of the dataset's pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.errors import user_errors
from cli.lists import listed
from cli.options import DEFAULT_STORE, Dataset, Format, StorePath, to_stderr


@user_errors
def probe(
    store: StorePath = DEFAULT_STORE,
    dataset: Dataset = None,
    lm: Annotated[
        str | None,
        typer.Option(
            help="embedded, a local folder, or a name on the model hub.  [default: embedded]"
        ),
    ] = None,
    lm_init: Annotated[
        str,
        typer.Option(
            help="pretrained; random: the same architecture with random weights; "
            "scrambled: the embedded LM taught permuted hypernyms."
        ),
    ] = "pretrained",
    revision: Annotated[str | None, typer.Option(help="Revision of a hub model.")] = None,
    device: Annotated[str, typer.Option(help="cpu (fp32) or cuda (bf16, logits in fp32).")] = "cpu",
    relation: Annotated[str, typer.Option(help="Whose pairs are asked about.")] = "hypernym",
    task: Annotated[
        str,
        typer.Option(
            help="yes-no: P(Yes) of a question about each pair and about one false hypernym; "
            "sentence: which of two sentences, one true and one false, is likelier; choice: the "
            "rank of each true hypernym among the false ones; all."
        ),
    ] = "all",
    phrasing: Annotated[
        str, typer.Option(help="Numbers of the phrasings, 1 to 4, with commas between.")
    ] = "1,2,3,4",
    chat_template: Annotated[
        bool,
        typer.Option(
            "--chat-template/--no-chat-template",
            help="Ask the yes-no questions in the LM's chat template, without thinking.",
        ),
    ] = False,
    choice_score: Annotated[
        str,
        typer.Option(help="Rank a completion by its total log probability, or the mean a token."),
    ] = "total",
    pairs: Annotated[
        Path | None,
        typer.Option(
            help="Minimal pairs of your own in place of drawn ones, JSON a line: hyponym, "
            "hypernym_pos, hypernym_neg, phrasing_id, sentence_pos, sentence_neg."
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(help="Of the false hypernyms, and of an LM's random weights.")
    ] = 42,
    batch_size: Annotated[int, typer.Option(help="Texts a forward pass.")] = 64,
    run: Annotated[
        str | None,
        typer.Option(
            help="With --task choice: rank the hypernyms of each test picture of this run, "
            "shown to its LM by its projector."
        ),
    ] = None,
    alignment: Annotated[
        bool,
        typer.Option(
            "--alignment",
            help="Compare neighbourhoods of leaves in the features and in the LM's hidden states "
            "instead of asking: mutual k-nearest-neighbour overlap and debiased CKA.",
        ),
    ] = False,
    features: Annotated[
        str | None,
        typer.Option(help="For --alignment: id of a feature set, if the dataset has several."),
    ] = None,
    k: Annotated[int, typer.Option("--k", help="For --alignment: nearest leaves.")] = 10,
    layer: Annotated[
        int, typer.Option(help="For --alignment: 0 the token embeddings, -1 the last layer.")
    ] = -1,
    manifest: Annotated[
        list[str] | None,
        typer.Option(
            help="For --alignment: a manifest whose shuffle is measured. Repeat as needed; all "
            "if none."
        ),
    ] = None,
    shuffle: Annotated[
        str,
        typer.Option(
            help="For --alignment: kinds of shuffle, with commas between, drawn from --seed in "
            "place of manifests'."
        ),
    ] = "",
    output: Annotated[
        Path | None, typer.Option(help="Write every single answer here: parquet, csv, jsonl.")
    ] = None,
    fmt: Format = "table",
) -> None:
    """Ask an LM, without pictures, what it knows of a dataset's hypernyms; score and store it.

    The embedded LM has a vocabulary of whole words and has practised the fourth yes-no
    phrasing; plurals are not in it. Task yes-no also asks what the test questions of stored
    manifests ask, for @probe-vlm; that is in no score. Questions with words that an LM does not
    know are asked all the same, counted in n_unknown and said.
    """
    from xmodal.probe.alignment import run_alignment
    from xmodal.probe.command import run_probe
    from xmodal.probe.config import AlignmentConfig, LmChoice, ProbeConfig
    from xmodal.store.render import chosen_format, emit

    chosen_format(fmt)
    config = ProbeConfig(
        relation=relation, task=task, phrasings=tuple(listed("phrasing", phrasing, int)),
        chat=chat_template, choice_score=choice_score, seed=seed, batch_size=batch_size,
    )  # fmt: skip
    aligned = AlignmentConfig(
        k=k, layer=layer, features=features, manifests=tuple(manifest or ()),
        shuffles=tuple(listed("shuffle", shuffle, str)),
    )  # fmt: skip
    choice = LmChoice(lm, lm_init, revision, device)
    aligned.check(alignment, {"--pairs": pairs, "--run": run})
    if alignment:
        probed = run_alignment(store, aligned, config, choice, dataset=dataset)
    else:
        probed = run_probe(store, config, choice, dataset=dataset, pairs=pairs, run=run)
    probed.tell(to_stderr, output)
    emit(probed.summary, fmt)
