"""A set of ImageNet-21k's size, from a list of images to the exposure report, and the cost by rows.

python -m benchmarks.scale [--millions 1 3 10 14.197122] [--output benchmarks/results/scale.json]
    [--figure docs/figures/scale]

21,841 leaf synsets of the bundled WordNet by a keyed hash, images in uneven numbers by another;
the hypernyms are what WordNet has above six of them or more. Each size in a process of its own,
from a Parquet list of images: taxonomy, a random 50 % pair manifest under the across shuffle, the
exposure report; then all its questions counted from the view that derives them, and with
--export written as Parquet. Making the list is not counted.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.result import report
from taxonomy.hashing import keyed_order, unit_interval
from taxonomy.model import ManifestConfig, TaxonomyConfig
from taxonomy.wordnet import WordNet
from xmodal.bundle import wordnet_files

N_LEAVES, N_IMAGES = 21_841, 14_197_122
"""Of ImageNet-21k."""
DESIGN = ManifestConfig(design="random", ratio=0.5, negatives="strided", shuffle="across")
STAGES = ("taxonomy", "manifest", "report")


def leaf_offsets() -> list[int]:
    """Offsets in data.noun of nouns without hyponyms, as many as there are leaves."""
    nouns = WordNet.open(wordnet_files.wordnet_dir())
    names = [nouns.at_offset(offset) for offset in nouns._starts]
    above = {parent for name in names for parent in nouns.parents(name)}
    leaves = keyed_order((name for name in names if name not in above), 0, "scale-leaf")
    return [nouns.offset(name) for name in leaves[:N_LEAVES]]


def write_list(path: Path, n_images: int, offsets: list[int]) -> None:
    """A list of images, leaf by leaf, with random bytes for hashes."""
    draws = np.array([unit_interval("scale-images", offset) for offset in offsets])
    weights = np.exp(2 * draws)  # the largest leaf has about seven times the images of the least
    ends = np.round(np.cumsum(weights) / weights.sum() * n_images).astype(np.int64)
    counts = np.diff(ends, prepend=0)
    ids = pa.array([f"n{offset:08d}" for offset in offsets])
    rng = np.random.default_rng(0)
    schema = pa.schema([("synset", pa.string()), ("image", pa.string()), ("sha256", pa.binary(32))])
    with pq.ParquetWriter(path, schema) as file:
        for part in np.array_split(np.arange(len(offsets)), max(1, n_images // 500_000)):
            n = int(counts[part].sum())
            label = ids.take(pa.array(np.repeat(part, counts[part])))
            number = pa.array(np.arange(n)).cast(pa.string())
            name = pc.binary_join_element_wise(label, label, "/")
            name = pc.binary_join_element_wise(name, number, "_")
            hashes = pa.Array.from_buffers(
                pa.binary(32), n, [None, pa.py_buffer(rng.bytes(32 * n))]
            )
            image = pc.binary_join_element_wise(name, "JPEG", ".")
            file.write_table(pa.table([label, image, hashes], schema=schema))


def one(home: Path, *, export: bool) -> dict[str, Any]:
    """Every stage on the list of a folder, in this process."""
    from xmodal.manifests import build_into
    from xmodal.manifests import report as exposure
    from xmodal.store import Store
    from xmodal.taxonomies import store_taxonomy

    store, numbers = home / "x.duckdb", dict[str, Any]()

    @contextmanager
    def stage(name: str) -> Iterator[None]:
        started, used = time.perf_counter(), time.process_time()
        yield
        numbers[f"{name}_s"] = round(time.perf_counter() - started, 1)
        numbers[f"{name}_process_s"] = round(time.process_time() - used, 1)
        numbers[f"{name}_peak_gb"] = peak_gb()

    with stage("taxonomy"):
        print(
            store_taxonomy(store, TaxonomyConfig(source="list"), images=home / "images.parquet")[
                :600
            ],
            file=sys.stderr,
        )
    with stage("manifest"):
        (manifest,) = build_into(store, [DESIGN])
    with stage("report"):
        _, rows = exposure(store, manifest.manifest_id)
    numbers["n_hypernyms"] = rows.num_rows
    numbers["pairs_a_leaf"] = round(manifest.summary["n_true_cells"] / N_LEAVES, 2)
    numbers["n_leaves_dropped"] = manifest.summary["n_leaves_dropped"]
    numbers["n_questions"] = sum(manifest.summary["n_questions"].values())
    numbers["store_bytes"] = store.stat().st_size
    with stage("count"), Store.open(store, read_only=True) as opened:
        text = (
            "SELECT count(*) AS n, count(*) FILTER (in_training) AS trained FROM example_derived "
            "WHERE manifest_id = $id"
        )
        ((n, trained),) = opened.query(text, {"id": manifest.manifest_id}).to_pandas().values
    assert n == numbers["n_questions"]
    assert trained == manifest.summary["n_training_questions"]
    if export:
        with stage("export"):
            numbers |= exported(store, manifest.manifest_id, home / "rows")
    return numbers


def exported(store: Path, manifest_id: str, folder: Path) -> dict[str, Any]:
    """Write the questions as Parquet."""
    from xmodal.interchange import export_manifest

    print(export_manifest(store, manifest_id, folder, fmt="parquet"), file=sys.stderr)
    sizes = [file.stat().st_size for file in folder.rglob("*.parquet")]
    return {"export_bytes": sum(sizes), "export_files": len(sizes)}


def peak_gb() -> float:
    """Most memory that this process has had, GiB."""
    unit = 2**30 if sys.platform == "darwin" else 2**20
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 2)


def main() -> None:
    """Each size in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--millions", type=float, nargs="+", default=[1, 3, 10, N_IMAGES / 1e6])
    parser.add_argument("--export", action="store_true", help="Write the questions too.")
    parser.add_argument("--home", type=Path, help="Where lists and stores are written.")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--figure", type=Path, help="Path without ending.")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(one(asked.one, export=asked.export)))
        return
    offsets, sizes = leaf_offsets(), []
    for millions in asked.millions:
        with tempfile.TemporaryDirectory(dir=asked.home) as made:
            n_images = round(millions * 1e6)
            write_list(Path(made) / "images.parquet", n_images, offsets)
            command = [sys.executable, "-m", "benchmarks.scale", "--one", made]
            command += ["--export"] * asked.export
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            numbers = json.loads(done.stdout.splitlines()[-1])
        together = {
            f"together_{kind}": round(sum(numbers[f"{name}_{kind}"] for name in STAGES), 1)
            for kind in ("s", "process_s")
        }
        sizes.append({"n_images": n_images, **together, **numbers})
        print(json.dumps(sizes[-1]), file=sys.stderr)
    report({"n_leaves": N_LEAVES, "sizes": sizes}, ("duckdb", "numpy", "pyarrow"), asked.output)
    if asked.figure:
        draw(sizes, asked.figure)


def draw(sizes: list[dict[str, Any]], stem: Path) -> None:
    """Processor seconds of each stage, and peak memory, by images."""
    import altair as alt

    from xmodal.report.style import COLUMN, inline, printed, save_chart, series_channels

    names = {"taxonomy": "taxonomy build", "manifest": "manifest and shuffle", "report": "report"}
    rows = [
        {"images": size["n_images"] / 1e6, "what": said, "y": size[f"{name}_process_s"]}
        for size in sizes
        for name, said in names.items()
    ]
    rows += [
        {"images": size["n_images"] / 1e6, "what": "together", "y": size["together_process_s"]}
        for size in sizes
    ]
    memory = [
        {"images": size["n_images"] / 1e6, "y": size["report_peak_gb"], "what": "together"}
        for size in sizes
    ]
    said = [*names.values(), "together"]
    colour, shape = series_channels("what", said)

    def panel(data: list[dict[str, Any]], title: str) -> Any:
        x = alt.X(field="images", type="quantitative", title="images, millions")
        y = alt.Y(field="y", type="quantitative", title=title, scale=alt.Scale(zero=True))
        drawn = alt.Chart(inline(data)).encode(x=x, y=y, color=colour)
        both = drawn.mark_line() + drawn.mark_point(filled=True, size=30).encode(shape=shape)
        return both.properties(width=COLUMN - 60, height=130)

    chart = panel(rows, "processor seconds") | panel(memory, "peak memory, GiB")
    save_chart(printed(chart), stem, ("svg",))


if __name__ == "__main__":
    main()
