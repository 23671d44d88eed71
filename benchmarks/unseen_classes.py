"""How the settings of `xmodal align demo` were chosen: unseen classes of several separations.

python -m benchmarks.unseen_classes [--seeds 1,2,3,4] [--max-branch 4,20] [--template is-a]
    [--pool mean] [--levels lemma,branch] [--split validation] [--folder DIR] [--output FILE]

For each separation seed, largest branch and level, a run of recipe embedded (seed 0) by the
pretrained LM, random weights and a bag of words; pictures of the split that show unseen classes,
zero-shot. Never on the demo's separation (seed 0), and on validation or training pictures: at every
level but none those of unseen classes are not trained on. Prints the mean over separation seeds of
the class mean of top-1 and top-5, and its standard deviation between them.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.result import report
from taxonomy.model import TaxonomyConfig
from taxonomy.separation import SeparationConfig
from xmodal.alignments.plan import plan_alignments
from xmodal.alignments.runs import run_jobs
from xmodal.alignments.texts import ensure_text_features, split_concepts
from xmodal.features.extract import FeatureConfig, Work
from xmodal.jobs import runs_dir
from xmodal.machine import n_cores
from xmodal.pipeline import ensure_features
from xmodal.store import Store
from xmodal.taxonomies import build_taxonomy

READERS = (("embedded", "pretrained"), ("embedded", "random"), ("bag-of-words", "none"))


def scores(store: Path, split: str, recipe: str) -> list[dict[str, Any]]:
    """Rows of @zero-shot with the separation's settings beside."""
    with Store.open(store, read_only=True) as opened:
        rows = opened.analysis("zero-shot", task="zero-shot").to_pylist()
        of = {row["separation_id"]: row for row in opened.query("FROM separation").to_pylist()}
    return [
        row | {"max_branch": one["max_branch"], "seed": one["seed"]}
        for row in rows
        if row["split"] == split and row["recipe"] == recipe
        for one in [of[row["separation_id"]]]
    ]


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="1,2,3,4")
    parser.add_argument("--max-branch", default="4,20")
    parser.add_argument("--levels", default="lemma,branch")
    parser.add_argument("--template", default="is-a")
    parser.add_argument("--pool", default="mean")
    parser.add_argument("--split", default="validation", choices=("train", "validation"))
    parser.add_argument("--set", dest="changes", action="append", default=[])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = given.folder or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        store = folder / "xmodal.duckdb"
        taxonomy = build_taxonomy(TaxonomyConfig())
        with Store.open(store) as opened:
            opened.add_taxonomy(taxonomy)
        ensure_features(store, FeatureConfig(), taxonomy.dataset_id, None, Work(workers=None))
        texts = [
            ensure_text_features(
                store,
                lm=lm,
                lm_init=init,
                dataset=taxonomy.dataset_id,
                templates=[given.template],
                pooling=None if init == "none" else given.pool,
            )[0].text_feature_set_id
            for lm, init in READERS
        ]
        jobs = []
        for most in map(int, given.max_branch.split(",")):
            for seed in map(int, given.seeds.split(",")):
                config = SeparationConfig(max_branch=most, seed=seed)
                jobs += plan_alignments(
                    store,
                    text_features=texts,
                    separation=split_concepts(store, config, taxonomy.dataset_id).separation_id,
                    levels=given.levels.split(","),
                    recipe="embedded",
                    changes=given.changes,
                    seeds=[0],
                    split=given.split,
                )
        run_jobs(jobs, n_cores())
        with Store.open(store) as opened:
            opened.sync(runs_dir(store))
        rows = scores(store, given.split, jobs[0].recipe.name)
    found = []
    for most in map(int, given.max_branch.split(",")):
        for level in given.levels.split(","):
            for lm, init in READERS:
                own = [
                    row
                    for row in rows
                    if (row["max_branch"], row["level"], row["lm"], row["lm_init"])
                    == (most, level, lm, init)
                ]
                found.append(
                    {
                        "max_branch": most,
                        "level": level,
                        "lm": lm,
                        "lm_init": init,
                        "n_separations": len(own),
                        "n_pictures": sum(row["n_pictures"] for row in own),
                        **{
                            name: round(statistics.mean(row[name] for row in own), 4)
                            for name in ("top1", "top5")
                        },
                        **{
                            f"{name}_sd": round(statistics.stdev(row[name] for row in own), 4)
                            for name in ("top1", "top5")
                            if len(own) > 1
                        },
                    }
                )
    asked = {name: getattr(given, name) for name in ("seeds", "template", "pool", "split")}
    report({**asked, "settings": given.changes, "found": found}, ("torch", "xmodal"), given.output)


if __name__ == "__main__":
    main()
