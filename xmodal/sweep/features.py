"""Features over a sweep's tasks: each task makes a part, whoever ends last puts them together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from taxonomy.errors import ConfigError
from taxonomy.hashing import content_id
from xmodal.features.config import FeatureConfig
from xmodal.features.encoders.load import check_encoder
from xmodal.features.extract import Work
from xmodal.files import make_folder
from xmodal.pipeline import ensure_features
from xmodal.store import Store
from xmodal.sweep.folder import FEATURES, SweepFolder, TaskOf, sweeps_dir
from xmodal.sweep.resources import Resources
from xmodal.sweep.run import add_tasks, check_ended, hand_out, script
from xmodal.sweep.status import DONE, states


def sweep_features(
    store: Path,
    configs: Sequence[FeatureConfig],
    n_parts: int,
    resources: Resources,
    *,
    dataset: str | None = None,
    device: str = "cpu",
    skip_bad: bool = False,
    dry_run: bool = False,
) -> Iterator[str]:
    """Extract features in parts, here or on the cluster; given again, it goes on.

    Once all parts are done the sets are noted in the store, by this call or the next.

    Args:
        store: The DuckDB file.
        configs: Encoders and pooling.
        n_parts: Of each set.
        resources: Where tasks run, and what they get.
        dataset: Id of a dataset or its beginning; None for the latest.
        device: Where a transformers model computes.
        skip_bad: Leave out pictures that cannot be decoded.
        dry_run: Show the batch script, and do nothing.

    Yields:
        What is done, in lines.
    """
    if n_parts < 1:
        raise ConfigError(f"shards must be at least 1, got {n_parts}")
    with Store.open(store, read_only=True) as opened:
        taxonomy = opened.load_taxonomy(dataset)
    tasks = [
        TaskOf(
            kind=FEATURES, dataset_id=taxonomy.dataset_id, config=config,
            part=(number, n_parts), device=device, skip_bad=skip_bad,
        )
        for config in configs
        for number in range(1, n_parts + 1)
    ]  # fmt: skip
    said = [[config.as_dict() for config in configs], n_parts, device, skip_bad]
    sweep_id = content_id(["features", taxonomy.dataset_id, said])
    folder = SweepFolder(sweeps_dir(store.absolute()) / sweep_id)
    if dry_run:
        yield script(folder, () if folder.exists() else tasks, resources)
        return
    for config in configs:  # a name that is none is known of before any task
        check_encoder(config)
    if not folder.exists():
        make_folder(folder.path, "a sweep's folder")
        names = ", ".join(dict.fromkeys(config.encoder for config in configs))
        add_tasks(folder, store, sweep_id, f"features of {names}", tasks)
    yield from hand_out(folder, resources)
    yield from note_sets(folder)
    check_ended(folder, resources)


def note_sets(folder: SweepFolder) -> Iterator[str]:
    """Note finished feature sets in the store.

    Args:
        folder: Of a sweep of features, or of any other, of which nothing is noted.
    """
    sweep = folder.read()
    found = states(folder)
    configs = dict.fromkeys(task.config for task in sweep.tasks if task.config is not None)
    for config in configs:
        own = [k for k, task in enumerate(sweep.tasks) if task.config == config]
        if any(found[k].state != DONE for k in own):
            continue
        task = sweep.tasks[own[0]]
        work = Work(device=task.device, skip_bad=task.skip_bad)
        store = folder.beside / sweep.store
        features, _ = ensure_features(store, config, task.dataset_id, work=work)
        yield f"{features.feature_set_id} in the store: {features.path}"
