"""What features do downstream: a leaf classifier and one projector, on validation pictures.

python -m benchmarks.encoder_downstream --encoder classical [--output FILE]

Classifier: the network of `xmodal ceiling` on the pooled features, three seeds; top-1 and top-10
over the leaves. Projector: recipe `embedded`, seed 42, all hypernym evidence removed (random
design, ratio 1); macro-F1 of leaf and of hypernym questions. Test pictures are not scored.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch

from benchmarks.ceiling import leaf_ids
from benchmarks.result import report
from taxonomy.manifest import build_manifest
from taxonomy.model import ManifestConfig, TaxonomyConfig
from xmodal.features.classifier import Pictures, network_logits, pooled
from xmodal.features.extract import FeatureConfig, FeatureSet, extract
from xmodal.features.questions import macro_f1
from xmodal.lms.causal import load_lm
from xmodal.taxonomies import build_taxonomy
from xmodal.vlm.experiment import RunSpec
from xmodal.vlm.group_run import run
from xmodal.vlm.recipes import named_recipe
from xmodal.vlm.trainset import read_examples

SPLIT = "validation"


def classifier(features: FeatureSet, leaf: np.ndarray[Any, Any], seen: np.ndarray[Any, Any]) -> Any:
    """Top-1 and top-10 of the leaf network, mean and every seed."""
    train = Pictures(features.augmented, leaf[features.augmented])
    found = []
    for seed in (0, 1, 2):
        logits = network_logits(pooled(features), features, train, int(leaf.max()) + 1, seed)
        hits = logits[torch.from_numpy(seen)].topk(10).indices.numpy() == leaf[seen][:, None]
        found.append([hits[:, 0].mean(), hits.any(1).mean()])
    return {
        "top_1": round(float(np.mean([one for one, _ in found])), 4),
        "top_10": round(float(np.mean([ten for _, ten in found])), 4),
        "top_1_by_seed": [round(float(one), 4) for one, _ in found],
    }


def projector(spec: RunSpec, folder: Path) -> dict[str, Any]:
    """Macro-F1 of a run that scored the split."""
    done = run(spec, folder)
    said = pq.read_table(done.path / "predictions.parquet").to_pylist()
    predicted = {r["example_id"]: r["predicted"] for r in said if r["image_mode"] == "real"}
    examples = read_examples(spec.taxonomy, spec.manifest)
    asked = examples.take(np.flatnonzero(examples.split == SPLIT))
    yes = np.array([predicted[example] for example in asked.example_id])
    is_leaf = asked.kind == "leaf"
    groups = [~is_leaf & (asked.asked == h) for h in np.unique(asked.asked[~is_leaf])]
    of_each = [macro_f1(asked.answer[of], yes[of]) for of in groups]
    return {
        "leaf_macro_f1": macro_f1(asked.answer[is_leaf], yes[is_leaf]),
        "hypernym_macro_f1": float(np.mean([f1 for f1 in of_each if f1 is not None])),
        "n_leaf_questions": int(is_leaf.sum()),
        "n_hypernym_questions": int((~is_leaf).sum()),
    }


def main() -> None:
    """One encoder: extract, classify, train, score."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encoder", default="classical")
    parser.add_argument("--seeds", default="42")
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    taxonomy = build_taxonomy(TaxonomyConfig())
    at = {concept: i for i, concept in enumerate(leaf_ids(taxonomy))}
    leaf = np.array([at.get(c, 0) for c in taxonomy.images["concept_id"].to_pylist()])
    split = np.array(taxonomy.images["split"].to_pylist(), dtype=object)
    config = ManifestConfig(design="random", ratio=1.0, train_leaf_negatives=24)
    manifest = build_manifest(taxonomy, config)
    numbers: dict[str, Any] = {"encoder": asked.encoder, "split": SPLIT}
    with tempfile.TemporaryDirectory() as made:
        features, _ = extract(taxonomy, FeatureConfig(encoder=asked.encoder), Path(made))
        numbers["revision"] = features.encoder_version
        numbers["leaf_classifier"] = classifier(features, leaf, np.flatnonzero(split == SPLIT))
        print(numbers, flush=True)
        for seed in map(int, asked.seeds.split(",")):
            spec = RunSpec(
                taxonomy=taxonomy,
                manifest=manifest,
                lm=load_lm("embedded"),
                features=features,
                recipe=named_recipe("embedded"),
                seed_init=seed,
                seed_order=seed,
                splits=(SPLIT,),
                image_modes=("real",),
            )
            numbers[f"projector_seed_{seed}"] = projector(spec, Path(made) / "runs")
    report(numbers, ("torch", "transformers"), asked.output)


if __name__ == "__main__":
    main()
