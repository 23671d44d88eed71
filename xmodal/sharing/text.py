"""The model card: README.md of a card's folder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from xmodal.features.encoders.load import OWN
from xmodal.features.pca import PCA
from xmodal.lms.names import BUNDLED
from xmodal.sharing.config import PICTURES, CardConfig
from xmodal.store.render import as_markdown

README = "README.md"
_SHUFFLES = {
    "none": "labels are true",
    "within": "labels are shuffled within categories",
    "across": "labels are shuffled across categories",
    "across_s1": "labels are shuffled across categories, as in the paper's code",
    "swap": "whole categories are swapped",
    "swap_control": "labels are true, of the leaves that a swap of categories moves",
}
_SETS = {
    "held_out": "held out: no such pair was in training",
    "seen": "seen",
    "unasked": "unasked: neither held out nor asked in training",
    "leaf": "leaf",
}


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the text says beside the config, out of the store."""

    row: Mapping[str, Any]
    """Of the run."""
    manifest: Mapping[str, Any]
    """Its row."""
    dataset: Mapping[str, Any]
    """Its row."""
    n_questions: Mapping[str, int]
    """By split, about pictures that have features."""
    scores: Sequence[Mapping[str, Any]]
    """Rows of @score-points for this run alone."""
    blind: Sequence[Mapping[str, Any]]
    """Macro-F1 by question set and image mode, without the real picture."""


def card_text(config: CardConfig, facts: Facts) -> str:
    """The whole text; the part between --- is YAML that the hub reads."""
    parts = [
        _front(config),
        _what(config),
        _load(config),
        _data(config, facts),
        _scores(facts),
        _training(config, facts),
        _limits(config),
    ]
    return "\n".join("\n".join(part) for part in parts)


def _front(config: CardConfig) -> Iterator[str]:
    yield "---"
    yield "library_name: xmodal"
    if config.lm.revision is not None:
        yield f"base_model: {json.dumps(config.lm.name)}"
    yield "tags:"
    yield from (f"- {tag}" for tag in ("xmodal", "projector", "vision-language", "frozen-lm"))
    yield "---"
    yield ""


def _what(config: CardConfig) -> Iterator[str]:
    lm, features, projector = config.lm, config.features, config.projector
    settings = features.config
    yield f"# Projector {config.run_id}"
    yield ""
    yield (
        f"A projector ({projector.kind}, {projector.n_params:,} parameters) that maps features of "
        f"one picture to {projector.n_prefix_tokens} prefix tokens of a language model. It is the "
        "only part that was trained; encoder and language model are frozen, and not in this folder."
    )
    yield ""
    yield f"- **Language model**: `{lm.name}`, {_lm(config)}"
    yield (
        f"- **Image encoder**: `{settings.encoder}`, {_encoder(config)}, layer {settings.layer}, "
        f"pooling {settings.pooling}: {features.n_tokens} x {features.width} numbers a picture, "
        f"{settings.dtype}"
    )
    yield f"- **Prompt** `{config.prompt.name}`: {_asked(config)}"
    yield (
        f"- **Made by** xmodal {config.xmodal_version}; `config.json` says everything that the "
        "answers depend on, by hash"
    )
    yield ""


def _lm(config: CardConfig) -> str:
    lm = config.lm
    where = f"revision {lm.revision}, " if lm.revision else ""
    where = "ships with xmodal, " if lm.name in BUNDLED else where
    where = "a local folder, " if lm.is_folder else where
    seed = f" from seed {config.training.seed_init}" if lm.init == "random" else ""
    return f"{where}weights {lm.init}{seed}, sha256 `{lm.weights_sha256[:16]}`"


def _encoder(config: CardConfig) -> str:
    features = config.features
    where = (
        "ships with xmodal" if features.config.encoder in OWN else f"revision {features.revision}"
    )
    if features.config.pooling == "given":
        where = "imported features"
    weights = (
        f", weights sha256 `{features.weights_sha256[:16]}`" if features.weights_sha256 else ""
    )
    side = f", pictures of {features.side} pixels" if features.side else ""
    return f"{where}{weights}{side}"


def _asked(config: CardConfig) -> str:
    prompt = config.prompt
    targets = f"; of a {prompt.relation}, `{json.dumps(prompt.target_question)}`"
    return (
        f"`{json.dumps(prompt.question)}`{targets if prompt.target_question else ''}, answered by "
        f"the larger logit of `{json.dumps(prompt.yes)}` (token {prompt.yes_id}) and "
        f"`{json.dumps(prompt.no)}` (token {prompt.no_id})"
    )


def _load(config: CardConfig) -> Iterator[str]:
    features = config.features
    yield "## How to load it"
    yield ""
    yield "In this folder, with xmodal installed:"
    yield ""
    yield "```python"
    if lacking := _no_encoder(config):
        yield "import torch, xmodal"
        yield 'projector = xmodal.load_projector(".")  # a torch module, held against config.json'
        size = f"1, {features.n_tokens}, {features.width}"
        yield f"features = torch.zeros({size})  # put yours here: [B, P, Dv]"
        yield "prefix = projector(features)  # [B, K, Dl], goes before the tokens of the question"
    else:
        yield "from PIL import Image"
        yield "import xmodal"
        yield 'features = xmodal.load_encoder(".")(Image.new("RGB", (9, 9)))  # or Image.open(FILE)'
        yield 'prefix = xmodal.load_projector(".")(features)  # [1, K, Dl], before the question'
    yield "```"
    yield ""
    if lacking:
        yield f"Features of new pictures cannot be made from this folder: {lacking}."
        yield ""
    yield "Asked a manifest's questions, in a store whose pictures have such features:"
    yield ""
    lm = " --lm FOLDER" if config.lm.is_folder else ""
    yield "```"
    yield f"xmodal eval --projector . --manifest ID --store xmodal.duckdb{lm}"
    yield "```"
    yield ""


def _no_encoder(config: CardConfig) -> str:
    """Why the folder does not give features of a new picture; empty where it does."""
    features = config.features
    if features.config.pooling == "given":
        return "they were imported, and what made them is not known"
    if features.config.pooling == "pca" and features.pca_sha256 is None:
        return (
            "the pca that pooled them is not here, as the feature set kept none (`xmodal ask` fits "
            f"it again and keeps it as `{PCA}`; a card made after that has it)"
        )
    return ""


def _data(config: CardConfig, facts: Facts) -> Iterator[str]:
    manifest, dataset = config.manifest, facts.dataset
    n = facts.n_questions
    yield "## Data"
    yield ""
    version = f" {dataset['version']}" if dataset["version"] else ""
    yield (
        f"- **Dataset** `{config.dataset_id}`: {dataset['source']}{version}, pairs "
        f"{dataset['pairs']}, hypernyms of {dataset['min_leaves']} leaves or more, split by seed "
        f"{dataset['seed']}"
    )
    hypernyms = ""
    if manifest.n_held_out_hypernyms is not None:
        hypernyms = f" {manifest.n_held_out_hypernyms} hypernyms"
    yield (
        f"- **Manifest** `{manifest.manifest_id}`: relation {config.prompt.relation}, design "
        f"{manifest.design}{hypernyms} over {manifest.unit}s, closure {manifest.closure}, seed "
        f"{manifest.seed}; rows sha256 `{manifest.rows_sha256[:16]}`"
    )
    yield (
        f"- **Held out**: ratio {manifest.ratio:g} nominal, {_ratio(manifest.ratio_realised_cells)}"
        f" of the cells and {_ratio(manifest.ratio_realised_questions)} of the questions realised; "
        f"mentions {manifest.mentions}"
    )
    seed = "" if manifest.shuffle_seed is None else f" (seed {manifest.shuffle_seed})"
    yield f"- **Shuffle** {manifest.shuffle}: {_SHUFFLES.get(manifest.shuffle, 'imported')}{seed}"
    yield (
        f"- **Questions**: {config.training.n_train_questions:,} in training about "
        f"{config.training.n_pictures:,} pictures (sha256 of each in `{PICTURES}`), "
        f"{n.get('validation', 0):,} validation, {n.get('test', 0):,} test; negatives "
        f"{manifest.negatives}, {manifest.train_leaf_negatives} leaf No a training picture"
    )
    yield ""


def _ratio(value: float | None) -> str:
    return "an unknown share" if value is None else f"{value:.4f}"


def _scores(facts: Facts) -> Iterator[str]:
    modes = sorted({row["image_mode"] for row in facts.blind})
    blind = {(row["question_set"], row["image_mode"]): row["macro_f1"] for row in facts.blind}
    rows = []
    for row in facts.scores:
        of = row["question_set"]
        rows.append(
            {
                "question set": _SETS.get(of, of),
                "macro-F1": row["macro_f1"],
                "blind guess": row["blind_f1"],
                **{f"{mode} picture": blind.get((of, mode)) for mode in modes},
                "hypernyms": row["n_hypernyms"],
                "questions": int(row["n_questions"]),
            }
        )
    yield "## Scores"
    yield ""
    if not rows:
        yield "The store has no score of it."
    else:
        yield as_markdown(pa.Table.from_pylist(rows)).rstrip("\n")
        yield ""
        yield (
            "Test questions, this one run. Macro-F1 in [0, 1]: per hypernym the mean of the F1 of "
            "Yes and of No, then the mean over hypernyms; leaf questions are one group. Blind "
            "guess: the better constant answer on the same groups."
            + (
                " Other columns: the same questions with that in place of the picture."
                * bool(modes)
            )
        )
    yield ""


def _training(config: CardConfig, facts: Facts) -> Iterator[str]:
    training, row = config.training, facts.row
    packages = ", ".join(f"{name} {version}" for name, version in sorted(training.versions.items()))
    commit = f"commit `{training.git_commit}`" if training.git_commit else "commit unknown"
    group = ", in one pass with others" if row["co_train_group"] else ""
    unit = training.settings.get("batch_unit", "questions")
    yield "## Training"
    yield ""
    yield (
        f"- Recipe `{training.recipe}`, every setting in `config.json`: {training.n_steps:,} steps "
        f"of {row['batch_size']} {unit}{group}; seeds {training.seed_init} (initialisation) and "
        f"{training.seed_order} (order)"
    )
    yield f"- Device {training.device}, {row['seconds']:,.0f} s; {packages}; {commit}"
    yield ""


def _limits(config: CardConfig) -> Iterator[str]:
    features = config.features
    yield "## Limits"
    yield ""
    yield (
        "- It was trained to have one yes-no question answered by this language model with these "
        "weights, from these features, in this prompt. Anything else is untested."
    )
    yield (
        "- It was made to measure what a language model knows of things that it has not seen: what "
        "the manifest holds out was held out on purpose. It is no product."
    )
    yield "- One run of one seed: other seeds differ; the scores have no interval here."
    if config.manifest.shuffle not in ("none", "swap_control"):
        yield "- Its labels were shuffled: many of its answers are wrong by design."
    if config.lm.init != "pretrained":
        yield f"- A control: the language model's weights are {config.lm.init}."
    if features.config.pooling == "pca":
        yield (
            "- Its features were pooled by a pca of the dataset's own training pictures: features "
            "of another dataset, pooled by a pca of their own, do not fit."
        )
    yield (
        "- Licence: none is stated here. What language model, encoder and pictures allow is for "
        "whoever shares it to say."
    )
