"""Tiny LMs, a tiny dataset and what goes between them, made by the tests that use them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    PreTrainedTokenizerFast,
)

from taxonomy.manifest.build import build_manifest
from taxonomy.model import Manifest, ManifestConfig, Taxonomy, TaxonomyConfig
from tests.xmodal import architectures
from xmodal.features.extract import FeatureConfig, FeatureSet, extract
from xmodal.lms.causal import LanguageModel
from xmodal.taxonomies import build_taxonomy
from xmodal.vlm import experiment
from xmodal.vlm.experiment import RunSpec
from xmodal.vlm.forward import tokenise
from xmodal.vlm.projector import ProjectorConfig
from xmodal.vlm.prompts import prompt_template
from xmodal.vlm.recipes import Recipe
from xmodal.vlm.run_folder import RunFolder
from xmodal.vlm.trainer import Trainer, TrainState
from xmodal.vlm.trainset import group_by_image, read_examples

LEAVES = {"parrot": "bird", "owl": "bird", "hen": "bird", "saw": "tool", "axe": "tool"}
SPLITS = ("train", "train", "train", "train", "validation", "test", "test")
ARCHITECTURES = ("qwen3", "llama", "neox")
FEATURES = FeatureConfig(encoder="classical", n_components=8, n_views=2)
RECIPE = Recipe(
    name="tiny",
    projector=ProjectorConfig(hidden=16, n_tokens=2, dropout=0.1),
    batch_size=6,
    epochs=3.0,
    feature_noise=0.1,
    balance=True,
)


def byte_pairs(specials: Sequence[str]) -> Tokenizer:
    """A byte-level BPE that has " Yes", " No", "Yes" and "No" as single tokens.

    Args:
        specials: Special tokens, the first of all.
    """
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    text = ["Is there a bird in the image? Yes", "\nIs there an owl?\nNo", "Yes", " No"] * 9
    trainer = trainers.BpeTrainer(
        vocab_size=330,
        special_tokens=list(specials),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(text, trainer)
    return bpe


def tokenizer(*, bos: bool = False) -> Any:
    """The tokenizer of tiny decoders."""
    bpe = byte_pairs(["<s>"])
    if bos:
        # how the tokenizer files of Llama 3 say it; add_bos_token stays False
        bpe.post_processor = processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", 0)]
        )
    return PreTrainedTokenizerFast(tokenizer_object=bpe, bos_token="<s>")


def save_lm(folder: Path, architecture: str = "qwen3", *, bos: bool = False) -> Path:
    """Save a tiny LM with random weights and its tokenizer."""
    saved = tokenizer(bos=bos)
    torch.manual_seed(3)
    model = architectures.model(architecture, len(saved))
    model.save_pretrained(folder)
    saved.save_pretrained(folder)
    return folder


def table(folder: Path) -> Path:
    """A csv of seven pictures a leaf, with the pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    lines = ["leaf,image,hypernym,split"]
    for leaf, hypernym in LEAVES.items():
        base = rng.integers(0, 256, (8, 8, 3))
        for number, split in enumerate(SPLITS):
            pixels = np.clip(base + rng.normal(0, 20, base.shape), 0, 255).astype(np.uint8)
            name = f"{leaf}{number}.png"
            Image.fromarray(pixels).resize((48, 48)).save(folder / name)
            lines.append(f"{leaf},{name},{hypernym},{split}")
    path = folder / "table.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def taxonomy(folder: Path) -> Taxonomy:
    """The dataset of table()."""
    return build_taxonomy(TaxonomyConfig(source="csv", min_leaves=2), csv=table(folder))


def manifest(of: Taxonomy, **knobs: Any) -> Manifest:
    """Half of the pairs held out, two leaf No a training picture, unless told otherwise."""
    return build_manifest(of, ManifestConfig(**({"ratio": 0.5, "train_leaf_negatives": 2} | knobs)))


def features(of: Taxonomy, root: Path, config: FeatureConfig = FEATURES) -> FeatureSet:
    return extract(of, config, root)[0]


def spec(folder: Path, lm: LanguageModel, **changes: Any) -> RunSpec:
    """A run over the tiny dataset, everything but the LM made in folder."""
    of = changes.pop("taxonomy", None) or taxonomy(folder)
    given: dict[str, Any] = {
        "taxonomy": of,
        "manifest": changes.pop("manifest", None) or manifest(of),
        "lm": lm,
        "features": changes.pop("features", None) or features(of, folder / "features"),
        "recipe": RECIPE,
    }
    return RunSpec(**(given | changes))


class StoppedError(Exception):
    """Raised by a test to end a run where it stands."""


def same_state(a: TrainState, b: TrainState) -> bool:
    """Step, metrics and every bit of projector and optimiser are equal."""
    weights = zip(a.projector.parameters(), b.projector.parameters(), strict=True)
    moments = (a.optimiser.state_dict()["state"], b.optimiser.state_dict()["state"])
    return (
        (a.step, a.metrics) == (b.step, b.metrics)
        and all(torch.equal(x, y) for x, y in weights)
        and moments[0].keys() == moments[1].keys()
        and all(
            torch.equal(moments[0][i][k], moments[1][i][k])
            for i in moments[0]
            for k in moments[0][i]
        )
    )


def files(folder: RunFolder) -> dict[str, bytes]:
    """Bytes of what a finished run leaves, but for run.json with its times."""
    names = ("projector.safetensors", "metrics.parquet", "predictions.parquet")
    return {name: (folder.path / name).read_bytes() for name in names}


def load_projector(folder: RunFolder) -> dict[str, torch.Tensor]:
    return load_file(folder.path / "projector.safetensors")


def trainer(of: RunSpec) -> Trainer:
    """The trainer of a run, as run() makes it."""
    examples = read_examples(of.taxonomy, of.manifest)
    groups = group_by_image(examples, of.recipe.balance, of.recipe.leaf_no_per_visit)
    questions = tokenise(of.lm, prompt_template(of.prompt), examples.phrases)
    return experiment._trainer(of, examples, groups, questions)


def environment(**more: str) -> dict[str, str]:
    """For another process: this checkout's tests and packages, one thread."""
    root = Path(__file__).resolve().parents[2]
    return {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1", **more}
