"""Runs killed with SIGKILL go on to the same bits when the command is given again."""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path

import pytest

from tests.cli.killing import assert_store_is_sound
from tests.cli.tiny_store import Tiny
from tests.warm import Warm
from tests.xmodal import tiny
from xmodal.store import Store
from xmodal.vlm.run_folder import RunFolder

LONG = ("--epochs", "60", "--batch-size", "6")
N_STEPS = 240
ALONE = ("--seed", "42")
TOGETHER = ("--seeds", "42,7", "--co-train", "4")


pytestmark = pytest.mark.usefixtures("one_thread")


def command(world: Tiny, how: tuple[str, ...]) -> list[str]:
    manifests = world.manifests if how == TOGETHER else world.manifests[:1]
    named = [word for manifest in manifests for word in ("--manifest", manifest)]
    return ["train", *named, "--lm", str(world.lm), "--recipe", "embedded", *LONG, *how]


def finished(world: Tiny, how: tuple[str, ...]) -> dict[str, dict[str, bytes]]:
    """Train to the end; what each run left."""
    done = world.call(*command(world, how))
    assert done.exit_code == 0, done.stderr
    folders = [path for path in runs_of(world).iterdir() if not path.name.startswith(".")]
    assert not list(runs_of(world).glob("**/state.safetensors"))
    return {path.name: tiny.files(RunFolder(path)) for path in folders}


def runs_of(world: Tiny) -> Path:
    return world.store.parent / "runs"


def saved_step(world: Tiny) -> int:
    """The step of the last saved state, the least of a group; 0 before the first.

    The header is read by hand: safe_open opens a file twice, and it may be another the second time.
    """
    for path in runs_of(world).glob("**/state.safetensors"):
        try:
            with path.open("rb") as file:
                length = int.from_bytes(file.read(8), "little")
                said = json.loads(file.read(length))["__metadata__"]
        except FileNotFoundError:
            return 0
        return min(json.loads(of_run)["step"] for of_run in said.values())
    return 0


def kill(warm: Warm, world: Tiny, how: tuple[str, ...], step: int, delay: float = 0.0) -> None:
    """Start training in a process and kill it a while after that step is saved."""
    warm.start(*command(world, how), "--store", world.store)
    deadline = time.monotonic() + 300
    while saved_step(world) < step and warm.is_running():
        assert time.monotonic() < deadline
        time.sleep(0.002)
    time.sleep(delay)
    assert warm.kill() or delay > 0, warm.said()


def predictions(world: Tiny) -> list[tuple[object, ...]]:
    text = "SELECT run_id, image_mode, example_id, logit_yes FROM prediction ORDER BY ALL"
    with Store.open(world.store, read_only=True) as store:
        table = store.query(text)
    return list(zip(*table.to_pydict().values(), strict=True))


@pytest.mark.parametrize(
    ("how", "steps"),
    [
        pytest.param(ALONE, (3, 141), marks=pytest.mark.slow),
        (TOGETHER, (1, 58, 197)),
    ],
)
def test_killed_runs_go_on_to_the_same_bits(
    warm: Warm,
    world: Tiny,
    made: Tiny,
    tmp_path: Path,
    how: tuple[str, ...],
    steps: tuple[int, ...],
) -> None:
    (tmp_path / "straight").mkdir()
    straight = made.copy(tmp_path / "straight")
    want = finished(straight, how)
    assert len(want) == (4 if how == TOGETHER else 1)
    for step in steps:
        kill(warm, world, how, step)
        assert saved_step(world) >= step
        assert predictions(world) == []
        assert_store_is_sound(world.store)
    assert finished(world, how) == want
    assert predictions(world) == predictions(straight)
    records = [json.loads((runs_of(world) / name / "run.json").read_text()) for name in want]
    groups = {record["co_train_group"] for record in records}
    assert len(groups) == 1
    assert (groups == {None}) == (how == ALONE)


@pytest.mark.slow
def test_twenty_random_kills(warm: Warm, made: Tiny, tmp_path: Path) -> None:
    """At random steps and a random while after them; also while runs are scored and stored."""
    (tmp_path / "straight").mkdir()
    straight = made.copy(tmp_path / "straight")
    want = finished(straight, TOGETHER)
    seed = random.SystemRandom().randrange(2**32)
    rng = random.Random(seed)
    kills = []
    for number in range(5):
        folder = tmp_path / f"world{number}"
        folder.mkdir()
        world = made.copy(folder)
        for step in sorted(rng.randrange(1, N_STEPS) for _ in range(4)):
            delay = rng.choice((0.0, rng.uniform(0.0, 1.0)))
            kill(warm, world, TOGETHER, step, delay)
            kills.append({"step": step, "delay_s": round(delay, 3), "saved": saved_step(world)})
        assert finished(world, TOGETHER) == want
        assert predictions(world) == predictions(straight)
    if folder_name := os.environ.get("XMODAL_RESULTS"):
        result = {"seed": seed, "n_kills": len(kills), "n_differing": 0, "kills": kills}
        path = Path(folder_name) / "kill_resume.json"
        path.write_text(json.dumps(result, indent=1) + "\n")
