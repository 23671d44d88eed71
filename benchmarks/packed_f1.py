"""Does packing move results? The embedded recipe over three seeds, packed and one question a row.

python -m benchmarks.packed_f1 [--epochs 13] [--output benchmarks/results/packed_f1.json]

All hypernym evidence removed, test pictures. The two layouts add up the same numbers in another
order; after thousands of steps that moves a run's F1 as another seed would, or less.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from dataclasses import replace
from pathlib import Path

from benchmarks.result import report
from taxonomy.manifest import build_manifest
from taxonomy.model import ManifestConfig, TaxonomyConfig
from xmodal.features.extract import FeatureConfig, extract
from xmodal.lms.causal import load_lm
from xmodal.store import Store
from xmodal.taxonomies import build_taxonomy
from xmodal.vlm.experiment import RunSpec
from xmodal.vlm.group_run import run
from xmodal.vlm.recipes import named_recipe
from xmodal.vlm.selfcheck import Packing

SEEDS = (42, 218, 7)


class OneQuestionARow(dict[tuple[int, int], Packing]):
    """Findings of the self-check as if the LM could not be packed."""

    def __contains__(self, key: object) -> bool:
        return True

    def __missing__(self, key: tuple[int, int]) -> Packing:
        return Packing(False, None)


def main() -> None:
    """Train six runs and report the mean, the spread over seeds and the shift."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=float, help="instead of the recipe's")
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    taxonomy = build_taxonomy(TaxonomyConfig())
    manifest = build_manifest(taxonomy, ManifestConfig(ratio=1.0, train_leaf_negatives=24))
    lm = load_lm("embedded")
    lms = {"packed": lm, "plain": replace(lm, packings=OneQuestionARow())}
    found: dict[str, dict[str, list[float]]] = {name: {} for name in lms}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        features = extract(taxonomy, FeatureConfig(), root / "features")[0]
        for name, model in lms.items():
            for seed in SEEDS:
                spec = RunSpec(
                    taxonomy=taxonomy,
                    manifest=manifest,
                    lm=model,
                    features=features,
                    recipe=named_recipe("embedded", epochs=given.epochs),
                    seed_init=seed,
                    seed_order=seed,
                )
                run(spec, root / name)
            with Store.in_memory() as store:
                store.add_taxonomy(taxonomy)
                store.add_manifest(manifest)
                assert store.sync(root / name).n_ingested == len(SEEDS)
                rows = store.query(
                    "SELECT question_set, list(macro_f1 ORDER BY run.seed_init) AS f1 "
                    "FROM run_score JOIN run USING (run_id) WHERE image_mode = 'real' "
                    "GROUP BY question_set"
                ).to_pylist()
            found[name] = {row["question_set"]: row["f1"] for row in rows}
    sets = [
        {
            "question_set": name,
            "packed_f1": [round(f1, 4) for f1 in packed],
            "plain_f1": [round(f1, 4) for f1 in found["plain"][name]],
            "shift": round(statistics.mean(packed) - statistics.mean(found["plain"][name]), 4),
            "seeds_spread": round(max(packed) - min(packed), 4),
        }
        for name, packed in sorted(found["packed"].items())
        if None not in packed
    ]
    report(
        {"seeds": sorted(SEEDS), "epochs": given.epochs or 13.0, "sets": sets},
        ("torch", "transformers"),
        given.output,
    )


if __name__ == "__main__":
    main()
