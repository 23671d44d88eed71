"""What picture encoder and LM allow, with no projector: a classifier's belief, said in words.

python -m benchmarks.ceiling [--encoder classical] [--seeds 0,1,2,3,4]
    [--output benchmarks/results/ceiling.json]

A softmax classifier of leaves is trained on the training pictures. Its posterior about a
validation picture weighs the LM's own word embeddings of the leaves; their mixture stands as the
single prefix token. All hypernym evidence is removed by construction. Validation pictures only.
`xmodal ceiling` goes without the LM: the same classifier, or a better one, and the taxonomy.

One classifier a seed: single ones lie a few hundredths apart, and so do two CPUs, which round
features differently. `mean` is over seeds, `spread` the largest less the least.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.result import report
from taxonomy.manifest import build_manifest
from taxonomy.model import ManifestConfig, Taxonomy, TaxonomyConfig
from xmodal.features.classifier import Pictures, network_logits
from xmodal.features.extract import FeatureConfig, FeatureSet, extract
from xmodal.features.questions import macro_f1
from xmodal.lms.causal import LanguageModel, load_lm
from xmodal.taxonomies import build_taxonomy
from xmodal.vlm.evaluate import ask
from xmodal.vlm.forward import tokenise
from xmodal.vlm.prompts import prompt_template
from xmodal.vlm.trainset import read_examples

TEMPERATURES = (0.6, 1.0, 1.5)
SHUFFLES = ("none", "within", "across")


def posterior_logits(features: FeatureSet, leaf: np.ndarray[Any, Any], seed: int) -> Tensor:
    """Train the network of `xmodal ceiling`; float32 [images, leaves].

    Args:
        features: With several views of the training pictures.
        leaf: int64 [images], the row of each picture's leaf.
        seed: Of weights, batches and noise.
    """
    array = torch.from_numpy(np.array(features.open()))[:, 0]
    train = Pictures(features.augmented, leaf[features.augmented])
    return network_logits(array, features, train, int(leaf.max()) + 1, seed)


def scores(taxonomy: Taxonomy, lm: LanguageModel, logits: Tensor, shuffle: str) -> dict[str, Any]:
    """Leaf and hypernym macro-F1 on validation pictures, by temperature of the posterior."""
    config = ManifestConfig(design="random", ratio=1.0, shuffle=shuffle)
    manifest = build_manifest(taxonomy, config)
    examples = read_examples(taxonomy, manifest)
    asked = examples.take(np.flatnonzero(examples.split == "validation"))
    shown = taxonomy.images["concept_id"].to_numpy()
    label_of = dict(zip(shown[examples.image], examples.leaf, strict=True))
    names = taxonomy.concepts["name"].to_pylist()
    tokens = [lm.token_ids(names[label_of.get(c, c)])[0] for c in leaf_ids(taxonomy)]
    words = lm.embed(torch.tensor(tokens))
    questions = tokenise(lm, prompt_template("default"), asked.phrases)
    shown_images = torch.from_numpy(np.unique(asked.image))
    found: dict[str, Any] = {}
    for temperature in TEMPERATURES:
        prefix = ((logits / temperature).softmax(1) @ words)[:, None]
        said = ask(lm, nn.Identity(), prefix[shown_images], questions, asked).predicted
        is_leaf = asked.kind == "leaf"
        by_hypernym = [
            f1
            for of in (~is_leaf & (asked.asked == h) for h in np.unique(asked.asked[~is_leaf]))
            if (f1 := macro_f1(asked.answer[of], said[of])) is not None
        ]
        of_leaves = macro_f1(asked.answer[is_leaf], said[is_leaf])
        found[str(temperature)] = {
            "leaf": None if of_leaves is None else round(of_leaves, 4),
            "hypernym": round(float(np.mean(by_hypernym)), 4),
        }
    return found


def leaf_ids(taxonomy: Taxonomy) -> list[int]:
    """Concepts that split pictures show, ascending: the classifier's classes."""
    rows = taxonomy.images.select(["concept_id", "split"]).to_pylist()
    return sorted({row["concept_id"] for row in rows if row["split"]})


def measure(
    taxonomy: Taxonomy,
    lm: LanguageModel,
    features: FeatureSet,
    leaf: np.ndarray[Any, Any],
    seed: int,
) -> dict[str, Any]:
    """Train one classifier, then ask under each shuffle."""
    logits = posterior_logits(features, leaf, seed)
    split = np.array(taxonomy.images["split"].to_pylist(), dtype=object)
    seen = np.flatnonzero(split == "validation")
    top = logits[torch.from_numpy(seen)].topk(10).indices.numpy()
    hits = top == leaf[seen][:, None]
    numbers: dict[str, Any] = {
        f"top_{k}": round(float(hits[:, :k].any(1).mean()), 4) for k in (1, 3, 10)
    }
    for shuffle in SHUFFLES:
        numbers[shuffle] = scores(taxonomy, lm, logits, shuffle)
    return numbers


def over_seeds(found: list[Any]) -> dict[str, Any]:
    """Mean and spread of every number of several measurements of one shape."""
    if isinstance(found[0], dict):
        return {name: over_seeds([one[name] for one in found]) for name in found[0]}
    return {"mean": round(sum(found) / len(found), 4), "spread": round(max(found) - min(found), 4)}


def main() -> None:
    """One classifier a seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encoder", default="classical")
    parser.add_argument("--seeds", default="0,1,2,3,4")
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    taxonomy = build_taxonomy(TaxonomyConfig())
    lm = load_lm("embedded")
    at = {concept: i for i, concept in enumerate(leaf_ids(taxonomy))}
    concepts = taxonomy.images["concept_id"].to_pylist()
    leaf = np.array([at.get(concept, 0) for concept in concepts])
    seeds = [int(seed) for seed in asked.seeds.split(",")]
    with tempfile.TemporaryDirectory() as made:
        features, _ = extract(taxonomy, FeatureConfig(encoder=asked.encoder), Path(made))
        found = [measure(taxonomy, lm, features, leaf, seed) for seed in seeds]
    numbers = {"seeds": seeds, "features_sha256": features.sha256, **over_seeds(found)}
    report(numbers, ("torch", "transformers"), asked.output)


if __name__ == "__main__":
    main()
