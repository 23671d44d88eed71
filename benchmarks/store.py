"""Run folders into the store, the analyses over them, and a list of very many runs.

python -m benchmarks.store [--folders 400] [--listed 10000] [--output benchmarks/results/store.json]

The folders hold random answers to all test questions of the embedded dataset in every image
mode; about 26,000 predictions each. The runs that are listed have 100 predictions and 20 metrics
each. With --mlflow MLflow's SQLite store lists as many runs with as many values beside them
(`pip install mlflow-skinny alembic`).
"""

from __future__ import annotations

import argparse
import resource
import subprocess
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
from taxonomy.model import Manifest, ManifestConfig, Taxonomy, TaxonomyConfig
from xmodal.store import IMAGE_MODES, METRIC, PREDICTION, Store
from xmodal.store.rows import RunRecord, RunRow
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
N_PREDICTIONS, N_METRICS = 100, 20
"""Of each run that is listed."""


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


def best(call: Callable[[], Any], n: int = 3) -> float:
    """The shortest of some calls, seconds."""
    return min(timed(call) for _ in range(n))


def ingest(home: Path, n_folders: int, manifest: Manifest, taxonomy: Taxonomy) -> dict[str, Any]:
    """Write the folders, then time sync, sync again and each analysis."""
    runs, path = home / "runs", home / "x.duckdb"
    rng = np.random.default_rng(0)
    n_predictions = 0
    for number in range(n_folders):
        folder = RunFolder(runs / f"run{number:05}")
        folder.path.mkdir(parents=True)
        (folder.path / "projector.safetensors").write_bytes(rng.bytes(200_000))
        folder.write_metrics([(1, "train_loss", 1.0)])
        rows = answers(manifest, rng)
        folder.write_predictions(rows)
        folder.write_record(record(number, manifest))  # last: it has the hashes of the others
        n_predictions += len(rows)
    numbers: dict[str, Any] = {"folders": n_folders, "predictions": n_predictions}
    with Store.open(path) as store:
        store.add_taxonomy(taxonomy)
        store.add_manifest(manifest)
        seconds = timed(lambda: store.sync(runs))
        assert len(store.runs()) == n_folders
        numbers |= {"sync_s": seconds, "predictions_a_second": round(n_predictions / seconds)}
        numbers["sync_again_s"] = timed(lambda: store.sync(runs))
    numbers["bytes_a_prediction"] = round(path.stat().st_size / n_predictions, 1)
    with Store.open(path, read_only=True) as store:
        f1 = "SELECT run_id, hypernym, image_mode, macro_f1 FROM hypernym_score"
        numbers["f1_by_run_hypernym_and_mode_s"] = best(lambda: store.query(f1))
        for name in ANALYSES:
            numbers[f"{name}_s"] = best(lambda name=name: store.analysis(name))
    return numbers


def listed(home: Path, n_runs: int, manifest: Manifest, taxonomy: Taxonomy) -> dict[str, Any]:
    """Store very many small runs, then time `xmodal runs`, in this process and as a command."""
    path = home / "listed.duckdb"
    rng = np.random.default_rng(0)
    few = answers(manifest, rng).slice(0, N_PREDICTIONS)
    metrics = pa.table(
        [[1] * N_METRICS, [f"m{n}" for n in range(N_METRICS)], rng.random(N_METRICS)], schema=METRIC
    )
    with Store.open(path) as store:
        store.add_taxonomy(taxonomy)
        store.add_manifest(manifest)
        rows = [RunRow(**record(n, manifest), content_hash="x") for n in range(n_runs)]
        with store.transaction():
            store.replace_runs([(row, metrics, few) for row in rows])
    with Store.open(path, read_only=True) as store:
        in_process = best(lambda: store.analysis("runs-overview"))
        rows_alone = best(lambda: store.runs())
    command = [sys.executable, "-m", "cli", "runs", "--store", str(path)]
    whole = best(lambda: subprocess.run(command, check=True, capture_output=True))
    return {
        "listed_runs": n_runs,
        "list_s": in_process,
        "list_rows_alone_s": rows_alone,
        "list_whole_command_s": whole,
    }


def mlflow_listed(home: Path, n_runs: int) -> dict[str, Any]:
    """The same number of runs, each with 20 parameters and 20 metrics, in MLflow's SQLite store."""
    from mlflow.entities import Metric, Param
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{home / 'mlflow.db'}")
    experiment = client.create_experiment("xmodal")
    metrics = [Metric(f"m{n}", 0.5, 0, 1) for n in range(N_METRICS)]
    params = [Param(f"p{n}", "v") for n in range(N_METRICS)]
    for _ in range(n_runs):
        made = client.create_run(experiment)
        client.log_batch(made.info.run_id, metrics=metrics, params=params)

    def read() -> None:
        token, n_read = None, 0
        while n_read < n_runs:
            page = client.search_runs([experiment], max_results=50_000, page_token=token)
            token, n_read = page.token, n_read + len(page)

    return {"mlflow_sqlite_list_s": best(read)}


def main() -> None:
    """Time all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folders", type=int, default=400)
    parser.add_argument("--listed", type=int, default=10_000)
    parser.add_argument("--mlflow", action="store_true")
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    taxonomy = build_taxonomy(TaxonomyConfig())
    manifest = build_manifest(taxonomy, ManifestConfig(design="random", ratio=0.5))
    packages = ["duckdb", "pyarrow"]
    with tempfile.TemporaryDirectory() as made:
        home = Path(made)
        numbers = ingest(home, asked.folders, manifest, taxonomy)
        numbers |= listed(home, asked.listed, manifest, taxonomy)
        if asked.mlflow:
            numbers |= mlflow_listed(home, asked.listed)
            packages.append("mlflow-skinny")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unit = 2**30 if sys.platform == "darwin" else 2**20
    numbers["peak_memory_gb"] = round(peak / unit, 2)
    report(numbers, tuple(packages), asked.output)


if __name__ == "__main__":
    main()
