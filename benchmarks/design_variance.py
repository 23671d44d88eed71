"""Draws of one design, each trained from several initialisations: whose variance is it?

python -m benchmarks.design_variance --folder DIR [--designs 5] [--inits 3] [--ratio 0.5]
    [--output benchmarks/results/design_variance.json]

Makes the embedded dataset, manifests of seeds 1 to `designs`, and runs of seeds 1 to `inits` on
each, in the store DIR/xmodal.duckdb; what is there is reused. Then @design-variance.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.result import report
from taxonomy.model import ManifestConfig, TaxonomyConfig
from xmodal.demo import TRAIN_LEAF_NEGATIVES
from xmodal.features.extract import FeatureConfig
from xmodal.files import make_folder
from xmodal.manifests import build_into
from xmodal.pipeline import ensure_features, train_manifests
from xmodal.store import Store
from xmodal.taxonomies import build_taxonomy


def main() -> None:
    """Train what is missing and report the shares of variance."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--designs", type=int, default=5)
    parser.add_argument("--inits", type=int, default=3)
    parser.add_argument("--ratio", type=float, default=0.5)
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    make_folder(given.folder, "the benchmark's folder")
    store = given.folder / "xmodal.duckdb"
    taxonomy = build_taxonomy(TaxonomyConfig())
    with Store.open(store) as opened:
        opened.add_taxonomy(taxonomy)
    ensure_features(store, FeatureConfig(), taxonomy.dataset_id)
    designs = [
        ManifestConfig(ratio=given.ratio, seed=seed, train_leaf_negatives=TRAIN_LEAF_NEGATIVES)
        for seed in range(1, given.designs + 1)
    ]
    manifests = [m.manifest_id for m in build_into(store, designs, taxonomy.dataset_id)]
    seeds = list(range(1, given.inits + 1))
    for line in train_manifests(store, manifests, seeds=seeds, workers=2, co_train="1"):
        print(line, flush=True)
    with Store.open(store, read_only=True) as opened:
        rows = opened.analysis("design-variance").to_pylist()
    report(
        {"ratio": given.ratio, "shares": rows}, ("torch", "transformers", "duckdb"), given.output
    )


if __name__ == "__main__":
    main()
