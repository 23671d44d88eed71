"""`xmodal align demo`: what the embedded LM knows of classes that no projection was trained on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from taxonomy.model import TaxonomyConfig
from taxonomy.separation import SeparationConfig
from xmodal.align.grids import recipes
from xmodal.alignments.jobs import AlignJob
from xmodal.alignments.plan import plan_alignments
from xmodal.alignments.runs import run_jobs
from xmodal.alignments.texts import ensure_text_features, split_concepts
from xmodal.features.extract import FeatureConfig, Work
from xmodal.files import make_folder
from xmodal.jobs import runs_dir
from xmodal.lms.names import EMBEDDED
from xmodal.lms.words import BAG_OF_WORDS
from xmodal.machine import n_cores
from xmodal.pipeline import check_seeds, ensure_features
from xmodal.progress import counter
from xmodal.store import Store
from xmodal.taxonomies import build_taxonomy

FOLDER = Path("xmodal-align-demo")
MAX_BRANCH = 4
"""Classes of an unseen branch. With 20 a separation is few large branches, and what comes out
depends on which: benchmarks.unseen_classes."""
TEMPLATE, POOLING = "is-a", "mean"
"""What suits the embedded LM; see the recipe."""
SEEDS = (42, 218, 7)


@dataclass(frozen=True)
class Reader:
    """What reads the class names, and the arms that it is trained in."""

    label: str
    lm: str
    lm_init: str
    arms: tuple[str, ...] = ("separated",)


READERS = (
    Reader("pretrained LM", EMBEDDED, "pretrained", ("separated", "control")),
    Reader("random weights", EMBEDDED, "random"),
    Reader("bag of words", BAG_OF_WORDS, "none"),
)


def align_demo(
    folder: Path | None = None,
    *,
    seeds: Sequence[int] = SEEDS,
    n_unseen: int = 100,
    workers: int | None = None,
    changes: Sequence[str] = (),
) -> Iterator[str]:
    """Split, read, train and ask, at each level of separation; then say what came out.

    Args:
        folder: Where everything goes; what is there already is reused. FOLDER if None.
        seeds: One run of each level and reader a seed, each with random weights of its own.
        n_unseen: Unseen classes.
        workers: Processes that extract features, and runs at a time; None for one a core, of
            runs four at most.
        changes: NAME=VALUE, settings of the recipe; for a quick look.

    Yields:
        The text to print, piece by piece.

    Raises:
        ConfigError: No seed, a negative one, or a setting out of range.
        DataError: The folder cannot be made.
        ManifestError: No such split of the embedded classes.
    """
    check_seeds(seeds)
    seeds = list(dict.fromkeys(seeds))
    folder = folder or FOLDER
    config = SeparationConfig(n_unseen=n_unseen, max_branch=MAX_BRANCH)
    recipes("embedded", changes)
    make_folder(folder, "the demo's folder")
    store = folder / "xmodal.duckdb"
    taxonomy = build_taxonomy(TaxonomyConfig())
    with Store.open(store) as opened:
        opened.add_taxonomy(taxonomy)
    yield f"dataset     {taxonomy.dataset_id}: {taxonomy.images.num_rows} pictures"
    separation = split_concepts(store, config, taxonomy.dataset_id)
    n_classes = separation.classes.num_rows // (2 * len(separation.levels))
    yield (
        f"separation  {separation.separation_id}: {len(separation.unseen)} of {n_classes} classes "
        f"unseen, {len(separation.levels)} levels"
    )
    with counter("pictures") as progress:
        features, made = ensure_features(
            store, FeatureConfig(), taxonomy.dataset_id, progress, Work(workers=workers)
        )
    yield f"pictures    {features.feature_set_id}: {'encoded' if made else 'there already'}"
    jobs: list[AlignJob] = []
    for reader in READERS:
        draws = seeds if reader.lm_init == "random" else (0,)
        texts = {}
        for draw in draws:
            found, made = ensure_text_features(
                store,
                lm=reader.lm,
                lm_init=reader.lm_init,
                seed=draw,
                dataset=taxonomy.dataset_id,
                templates=[TEMPLATE],
                pooling=None if reader.lm == BAG_OF_WORDS else POOLING,
            )
            texts[draw] = found.text_feature_set_id
        said = "read" if made else "there already"
        yield f"class names {', '.join(texts.values())}: {said}, {reader.label}"
        for seed in seeds:
            jobs += plan_alignments(
                store,
                text_features=[texts[seed if reader.lm_init == "random" else 0]],
                features=features.feature_set_id,
                separation=separation.separation_id,
                arms=reader.arms,
                recipe="embedded",
                changes=changes,
                seeds=[seed],
            )
    results = run_jobs(jobs, workers or min(4, n_cores()))
    n_trained = sum(result.trained for result in results)
    yield f"runs        {n_trained} trained, {len(results) - n_trained} there already"
    with Store.open(store) as opened:
        report = opened.sync(runs_dir(store))
    yield from report.problems()
    from xmodal.report.align_demo import closing

    names = {(reader.lm, reader.lm_init): reader.label for reader in READERS}
    yield from closing(store, separation.separation_id, jobs[0].recipe.name, names)
