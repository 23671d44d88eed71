"""Run folders into the store, and the analyses over them.

python -m benchmarks.store [--folders 120] [--output benchmarks/results/store.json]

The folders hold random answers to all test questions of the embedded dataset in every image
mode; about 26,000 predictions each.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.result import report
from taxonomy.manifest import build_manifest
from taxonomy.model import Manifest, ManifestConfig, TaxonomyConfig
from xmodal.store import IMAGE_MODES, PREDICTION, Store
from xmodal.store.rows import RunRecord
from xmodal.taxonomies import build_taxonomy
from xmodal.vlm.run_folder import RunFolder

ANALYSES = (
    "main-results",
    "conditions",
    "image-blind",
    "hypernym-f1",
    "runs-overview",
    "ablation",
    "given-leaf",
    "chance-adjusted",
)


def record(number: int, manifest: Manifest) -> dict[str, Any]:
    """A run.json: what matters here is who ran on which manifest."""
    plain = {int: 1, float: 1.0, str: "{}"}
    row = {name: plain.get(field.annotation) for name, field in RunRecord.model_fields.items()}
    return row | {
        "run_id": f"run{number:05}",
        "dataset_id": manifest.dataset_id,
        "manifest_id": manifest.manifest_id,
        "lm_init": ("pretrained", "random")[number % 2],
        "seed_init": number,
        "status": "finished",
    }


def answers(manifest: Manifest, rng: np.random.Generator) -> pa.Table:
    """Random logits for every test question in every image mode."""
    asked = manifest.examples.filter(pa.compute.field("split") == "test")["example_id"]
    ids = np.tile(asked.to_numpy(), len(IMAGE_MODES))
    logits = rng.standard_normal((2, len(ids)), dtype=np.float32)
    columns = [np.repeat(IMAGE_MODES, len(asked)), ids, *logits, logits[0] > logits[1]]
    return pa.table(
        [pa.array(c, field.type) for c, field in zip(columns, PREDICTION, strict=True)],
        schema=PREDICTION,
    )


def timed(call: Callable[[], Any]) -> float:
    """Wall time of a call, seconds."""
    started = time.perf_counter()
    call()
    return round(time.perf_counter() - started, 3)


def main() -> None:
    """Write the folders, then time sync, sync again and each analysis."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folders", type=int, default=120)
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    taxonomy = build_taxonomy(TaxonomyConfig())
    manifest = build_manifest(taxonomy, ManifestConfig(design="random", ratio=0.5))
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as made:
        runs, path = Path(made) / "runs", Path(made) / "x.duckdb"
        n_predictions = 0
        for number in range(asked.folders):
            folder = RunFolder(runs / f"run{number:05}")
            folder.path.mkdir(parents=True)
            (folder.path / "projector.safetensors").write_bytes(rng.bytes(200_000))
            folder.write_metrics([(1, "train_loss", 1.0)])
            rows = answers(manifest, rng)
            folder.write_predictions(rows)
            folder.write_record(record(number, manifest))  # last: it has the hashes of the others
            n_predictions += len(rows)
        numbers: dict[str, Any] = {"folders": asked.folders, "predictions": n_predictions}
        with Store.open(path) as store:
            store.add_taxonomy(taxonomy)
            store.add_manifest(manifest)
            numbers["sync_s"] = timed(lambda: store.sync(runs))
            assert len(store.runs()) == asked.folders
            numbers["sync_again_s"] = timed(lambda: store.sync(runs))
        numbers["file_mb"] = round(path.stat().st_size / 1e6, 1)
        with Store.open(path, read_only=True) as store:
            for name in ANALYSES:
                numbers[f"{name}_s"] = timed(lambda name=name: store.analysis(name))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unit = 2**30 if sys.platform == "darwin" else 2**20
    numbers["peak_memory_gb"] = round(peak / unit, 2)
    report(numbers, ("duckdb", "pyarrow"), asked.output)


if __name__ == "__main__":
    main()
