"""`xmodal align`: how visual frozen language models are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.align_capability import capability
from cli.align_demo import demo
from cli.align_evaluate import evaluate
from cli.align_pairs import pairs
from cli.align_train import train
from cli.errors import user_errors
from cli.options import DEFAULT_STORE, Dataset, Format, StorePath, to_stderr

app = typer.Typer(
    help="How well frozen LMs align with frozen image features.", no_args_is_help=True
)
app.command("pairs")(pairs)

Captions = Annotated[
    str | None,
    typer.Option("--captions", help="Id of a caption set, or its beginning: its texts."),
]
app.command("capability")(capability)


@app.command("features")
@user_errors
def features(
    store: StorePath = DEFAULT_STORE,
    dataset: Dataset = None,
    lm: Annotated[
        str,
        typer.Option(
            help="embedded, embedded-parts, a local folder, or a name on the model hub; a decoder "
            "or an encoder. Or bag-of-words: no LM, the hashed words of a text."
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
            help="name, photo, gloss, shows, is-a, or a text with {name}, {phrase} or {gloss}; "
            "repeated, a class has the mean of its vectors.  [default: name]"
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
    names: Annotated[
        Path | None,
        typer.Option(
            help="Class names in place of the dataset's own: .csv or .parquet with columns class "
            "(name, key, synset or WordNet id) and name, and maybe language and phrase; several "
            "of a class are averaged."
        ),
    ] = None,
    language: Annotated[
        str | None,
        typer.Option(
            help="Of --names: which rows; what the names are called where no column says it.  "
            "[default: the only language of the file, or its name]"
        ),
    ] = None,
    captions: Captions = None,
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
        str | None,
        typer.Option(help="last, penultimate, or the number of a block.  [default: last]"),
    ] = None,
    longest: Annotated[int, typer.Option(help="Tokens of a text, at most.")] = 512,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    batch_tokens: Annotated[
        int | None,
        typer.Option(help="Tokens of a batch.  [default: 384 on a CPU, else 65,536]"),
    ] = None,
) -> None:
    """Read class names or captions with a frozen LM; a second call does nothing.

    What was stopped goes on where it was.
    """
    from xmodal.alignments.texts import ensure_text_features
    from xmodal.progress import counter

    with counter("texts") as progress:
        made, new = ensure_text_features(
            store, lm=lm, lm_init=lm_init, revision=revision, seed=seed, dataset=dataset,
            templates=template or ["name"], role=role, texts=texts, names=names, language=language,
            captions=captions,
            pooling=pooling, layer=layer, longest=longest, device=device,
            batch_tokens=batch_tokens, progress=progress,
        )  # fmt: skip
    said = "made" if new else "is there"
    typer.echo(f"{made.text_feature_set_id} {said}: {made.path}")
    for n, what in (
        (made.n_unknown, f"hold a word that {lm} does not know"),
        (made.n_cut, f"were cut at {made.longest} tokens"),
    ):
        if n:
            to_stderr(f"{n} of {made.n_texts} texts {what}")


@app.command("split")
@user_errors
def split(
    store: StorePath = DEFAULT_STORE,
    dataset: Dataset = None,
    n_unseen: Annotated[
        int, typer.Option(help="Classes that are never trained on but at level none.")
    ] = 100,
    max_branch: Annotated[
        int, typer.Option(help="Largest number of classes of one unseen branch.")
    ] = 20,
    distance: Annotated[
        int,
        typer.Option(
            help="Level branch: edges of WordNet's hypernym graph that stay clear around unseen "
            "classes; 2 reaches siblings, 4 cousins."
        ),
    ] = 3,
    level: Annotated[
        list[str] | None,
        typer.Option(help="none, lemma, synset, subtree, branch; repeated.  [default: all]"),
    ] = None,
    text_features: Annotated[
        str | None,
        typer.Option(help="Id of text features of the leaves, for level similar."),
    ] = None,
    max_cosine: Annotated[
        float | None,
        typer.Option(help="Level similar: no seen class is nearer to an unseen one than this."),
    ] = None,
    min_training: Annotated[
        int, typer.Option(help="Fewest classes that each level must leave.")
    ] = 100,
    seed: Annotated[int, typer.Option(help="Of unseen branches and controls.")] = 0,
    texts: Annotated[
        Path | None,
        typer.Option(
            help="Count what is left of these texts: .txt, one a line, or .parquet with a column "
            "caption or text."
        ),
    ] = None,
    captions: Captions = None,
    fmt: Format = "table",
) -> None:
    """Part classes into seen and unseen ones, by WordNet, level by level, and audit it.

    Unseen classes are whole branches and the same at every level; each level has a control that
    removes as many classes at random. With texts, those that speak of what is removed are dropped
    too, and as many others in the control; they are counted, not stored.
    """
    from taxonomy.separation import LEVELS, SeparationConfig
    from xmodal.alignments.captions import with_text_counts
    from xmodal.alignments.texts import split_concepts, texts_meant
    from xmodal.store import Store
    from xmodal.store.render import chosen_format, emit

    chosen_format(fmt)
    asked = tuple(level or LEVELS)
    order = [one for one in LEVELS if one in asked]
    config = SeparationConfig(
        n_unseen=n_unseen,
        max_branch=max_branch,
        distance=distance,
        levels=tuple(order) if len(order) == len(asked) else asked,
        max_cosine=max_cosine,
        min_training=min_training,
        seed=seed,
    )
    read = texts_meant(store, texts, captions)
    made = split_concepts(store, config, dataset, text_features)
    with Store.open(store, read_only=True) as opened:
        found = opened.analysis("separation", separation=made.separation_id)
        taxonomy = opened.load_taxonomy(made.dataset_id)
    emit(found if read is None else with_text_counts(found, made, taxonomy, read), fmt)
    to_stderr(f"unseen: {', '.join(made.roots)}")
    if unplaced := made.summary["n_unplaced"]:
        to_stderr(
            f"{unplaced} classes have no place in WordNet: they are seen, and only their names "
            "can tie them to others"
        )


app.command("train")(train)
app.command("evaluate")(evaluate)
app.command("demo")(demo)
