"""Pictures a second against processes: the encoders of the package and a small ViT.

python -m benchmarks.features [--images N] [--workers 1,2] [--views N] [--output FILE]

The ViT has random weights and the shape of ViT-Ti/16 (width 192, 12 blocks) on pictures of 64
pixels, fp32. Each number is one extraction of patch tokens into a fresh folder, from the call to
the finished set: starting the processes, decoding, encoding, writing to the disk, hashing. The
bytes must be the same for every number of processes. cpu_s is the processor time of all of them:
on a machine that others use at the same time (load_before) it tells more than the seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.result import report
from taxonomy.model import Taxonomy, TaxonomyConfig
from xmodal.features.config import FeatureConfig
from xmodal.features.encoders.load import OWN, config_for
from xmodal.features.extract import Work, extract
from xmodal.quiet import quiet_transformers
from xmodal.taxonomies import build_taxonomy


def save_vit(folder: Path) -> Path:
    """A ViT of the shape of ViT-Ti/16 with random weights, and its image processor's file."""
    from transformers import ViTConfig, ViTModel

    torch.manual_seed(0)
    shape = {"hidden_size": 192, "num_attention_heads": 3, "intermediate_size": 768}
    with quiet_transformers():
        ViTModel(ViTConfig(**shape, image_size=64)).save_pretrained(folder)
    said = {"size": 64, "resample": 2, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    said["image_processor_type"] = "ViTImageProcessor"
    (folder / "preprocessor_config.json").write_text(json.dumps(said))
    return folder


def timed(of: Taxonomy, config: FeatureConfig, workers: int) -> dict[str, Any]:
    """Seconds, pictures a second and the hash of one extraction."""
    with tempfile.TemporaryDirectory() as made:
        started, cpu = time.monotonic(), _cpu_s()
        features, _ = extract(of, config, Path(made), None, Work(workers=workers))
        seconds = time.monotonic() - started
        return {
            "seconds": round(seconds, 2),
            "cpu_s": round(_cpu_s() - cpu, 2),
            "rows": features.shape[0],
            "rows_per_s": round(features.shape[0] / seconds, 1),
            "mb": round((features.path / "features.npy").stat().st_size / 1e6, 1),
            "sha256": features.sha256[:16],
        }


def _cpu_s() -> float:
    """Processor seconds of this process and of those it started and that have ended."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def main() -> None:
    """Time each encoder with each number of processes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=None, help="first so many pictures")
    parser.add_argument("--workers", default="1,2")
    parser.add_argument("--views", type=int, default=5, help="of a training picture")
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    of = build_taxonomy(TaxonomyConfig())
    if asked.images:
        of = replace(of, images=of.images.slice(0, asked.images))
    numbers: dict[str, Any] = {
        "n_pictures": of.images.num_rows,
        "load_before": round(os.getloadavg()[0], 1),
    }
    with tempfile.TemporaryDirectory() as made:
        configs = {
            **{
                one: FeatureConfig(encoder=one, pooling="patches", n_views=asked.views)
                for one in OWN
            },
            "vit-ti": config_for(str(save_vit(Path(made) / "vit")), n_views=1),
        }
        for name, config in configs.items():
            by_workers = {n: timed(of, config, int(n)) for n in asked.workers.split(",")}
            same = len({one.pop("sha256") for one in by_workers.values()}) == 1
            numbers[name] = {"workers": by_workers, "same_bytes": same}
    for who, name in ((resource.RUSAGE_SELF, "self"), (resource.RUSAGE_CHILDREN, "worker")):
        numbers[f"peak_mb_{name}"] = round(resource.getrusage(who).ru_maxrss / 1024)
    report(numbers, ("torch", "transformers", "pillow"), asked.output)


if __name__ == "__main__":
    main()
