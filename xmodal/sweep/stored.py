"""Which runs of a sweep the store has already, by their settings."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from taxonomy.hashing import canonical_json
from xmodal.jobs import TrainJob, loaded_lm
from xmodal.store import Store
from xmodal.vlm.recipes import Recipe

_STORED = """
SELECT
    run_id,
    manifest_id,
    lm,
    lm_revision,
    lm_init,
    lm_hash,
    device,
    feature_set_id,
    prompt,
    recipe_json,
    seed_init,
    seed_order
FROM run
WHERE
    source = 'own'
    AND status = 'finished'
    AND experiment = 's1'
"""


def here(job: TrainJob) -> TrainJob:
    """The run with the device that this machine has for it."""
    from xmodal.machine import device_meant

    return replace(job, device=device_meant("auto")) if job.device == "auto" else job


def stored_runs(store: Path, jobs: Sequence[TrainJob], *, loaded: bool) -> dict[int, str]:
    """Places of the runs that the store has, by their settings.

    Where an LM was loaded, its weights must be those that the stored run had.
    """
    with Store.open(store, read_only=True) as opened:
        rows = opened.query(_STORED).to_pylist()
    stored: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if row["seed_init"] == row["seed_order"]:
            of = _settings_of(row, json.loads(row["recipe_json"]), row["seed_init"])
            stored.setdefault(of, []).append(row)
    found = {}
    for i, job in enumerate(jobs):
        alike = stored.get(_settings_of(asdict(job), job.recipe.as_dict(), job.seed), ())
        same = [row["run_id"] for row in alike if _same_lm(job, row, loaded=loaded)]
        if same:
            found[i] = str(min(same))
    return found


def _settings_of(said: Mapping[str, Any], recipe: Mapping[str, Any], seed: int) -> str:
    """A run's settings as one text, equal for what is asked for and what is stored."""
    own = {name: recipe[name] for name in Recipe.__dataclass_fields__ if name in recipe}
    names = ("manifest_id", "lm", "lm_init", "feature_set_id", "prompt")
    settings = {name: said[name] for name in names}
    return canonical_json(json.loads(json.dumps([settings, own, seed])))


def _same_lm(job: TrainJob, row: Mapping[str, Any], *, loaded: bool) -> bool:
    """Whether weights under one name are one, as far as can be seen without drawing any."""
    if not loaded or job.lm_init == "random":
        return job.revision is None or row["lm_revision"] in (None, job.revision)
    device = here(job).device
    lm = loaded_lm(job.lm, job.lm_init, job.revision, job.lm_seed, device)
    if (row["device"] == "cpu") == (device == "cpu"):
        return bool(lm.sha256 == row["lm_hash"])
    return bool(lm.revision == row["lm_revision"])
