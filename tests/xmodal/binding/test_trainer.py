"""Training: runs together are runs alone, a stopped run goes on with the same bits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file

from taxonomy.errors import ConfigError, DataError
from tests.xmodal.binding import small
from xmodal.binding import run as whole_run
from xmodal.binding.decoder import Decoder
from xmodal.binding.run import BindingSpec, train_runs
from xmodal.binding.run_folder import BindingFolder, load_decoder, restore
from xmodal.binding.stages import Stage
from xmodal.binding_tables import ACCURACY, RUN_WEIGHTS

FACTORS = {"noise": True}


@pytest.mark.parametrize("optimiser", ["muon", "adamw"])
def test_runs_together_are_runs_alone(optimiser: str) -> None:
    together = small.trainer(1, 2, optimiser=optimiser)
    both = together.run(together.start())
    for place, seed in enumerate((1, 2)):
        alone = small.trainer(seed, optimiser=optimiser)
        one = alone.run(alone.start())
        assert small.same(small.weights(both, place), small.weights(one), atol=1e-10)
        assert [value for _, _, value in both.runs[place].metrics] == pytest.approx(
            [value for _, _, value in one.runs[0].metrics], abs=1e-10
        )
        assert both.runs[place].accuracy[-1]["n_right"] == one.runs[0].accuracy[-1]["n_right"]
    assert not small.same(small.weights(both, 0), small.weights(both, 1), atol=1e-3)


@pytest.mark.parametrize("position", ["rope", "learned"])
def test_bfloat16_is_float32_but_for_rounding(position: str) -> None:
    found = []
    for precision in ("float32", "bfloat16"):
        shape = replace(small.recipe().decoder, position=position)
        of = small.trainer(1, dtype=torch.float32, precision=precision, decoder=shape)
        state = of.run(of.start(), until=4)
        assert state.decoder.embed.dtype == torch.float32
        found.append([value for _, _, value in state.runs[0].metrics])
    assert found[0] == pytest.approx(found[1], rel=0.01)
    assert found[0] != found[1]


def test_every_arm_answers_as_many_questions_in_as_many_steps() -> None:
    counts = set()
    for lessons in ({"text": 1.0}, {"noise": 1.0}, {"noise": 0.3, "text": 0.7}):
        stage = Stage(name="only", n_steps=5, lessons=lessons)
        of = small.trainer(0, stages=(stage,))
        run = of.run(of.start()).runs[0]
        counts.add((run.n_questions, run.n_tokens_computed, run.flops))
        # 5 noise tokens of each of the 4 sequences of a noise step
        n_noise_steps = [stage.lesson(i) for i in range(5)].count("noise")
        assert run.n_tokens - run.n_tokens_computed == 5 * 4 * n_noise_steps
    assert len(counts) == 1


def test_flops_are_those_of_a_count_by_hand() -> None:
    decoder = Decoder(small.recipe().decoder, [0])
    # a token and block: 16 x 48 + 16 x 16 + 2 x 16 x 64 weights, twice each, and 7 attended tokens
    # with 16 multiplications each for score and value; one answer: 473 x 16
    blocks = 2 * 7 * (2 * (16 * 48 + 16 * 16 + 2 * 16 * 64) + 4 * 7 * 16)
    assert decoder.config.flops(7, 1) == blocks + 2 * 473 * 16


@pytest.mark.parametrize("step", [2, 5, 9])
def test_a_saved_state_gives_the_same_bits(tmp_path: Path, step: int) -> None:
    of = small.trainer(1, 2, dtype=torch.float32)
    straight = of.run(of.start())
    stopped = of.run(of.start(), until=step)
    folders = [BindingFolder(tmp_path / str(run)) for run in range(2)]
    for run, folder in enumerate(folders):
        folder.save_state(f"run-{run}", stopped, run)
        assert folder.saved_step(f"run-{run}") == step
    torch.manual_seed(step)
    again = of.start()
    restore(again, [folder.load_state(f"run-{run}") for run, folder in enumerate(folders)])
    ended = of.run(again)
    for run in range(2):
        assert small.same(small.weights(ended, run), small.weights(straight, run))
        assert ended.runs[run].metrics == straight.runs[run].metrics
        assert ended.runs[run].accuracy == straight.runs[run].accuracy
        assert ended.runs[run].n_questions == straight.runs[run].n_questions
    with pytest.raises(DataError, match="it is of run run-0, not other"):
        folders[0].load_state("other")


def test_a_killed_run_goes_on_and_ends_as_one_that_was_not(tmp_path: Path) -> None:
    spec = BindingSpec(recipe=small.recipe(), arm="noise-text", factors=FACTORS, seeds=(3, 4))
    program = f"""
        import os, signal
        from pathlib import Path
        from tests.xmodal.binding import small, test_trainer
        from xmodal.binding import run
        run.SAVE_EVERY_S = 0.0
        spec = run.BindingSpec(
            recipe=small.recipe(), arm="noise-text", factors=test_trainer.FACTORS, seeds=(3, 4)
        )
        def on_step(step, total, loss):
            if step == 6:
                os.kill(os.getpid(), signal.SIGKILL)
        run.train_runs(spec, Path({str(tmp_path / "killed")!r}), on_step)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], cwd=Path.cwd(), env=os.environ
    )
    assert done.returncode == -signal.SIGKILL
    steps = []
    results = train_runs(spec, tmp_path / "killed", lambda step, *_: steps.append(step))
    assert steps == [6, 7, 8, 9, 10]
    for one, other in zip(results, train_runs(spec, tmp_path / "whole"), strict=True):
        assert one.run_id == other.run_id
        for name in (RUN_WEIGHTS, "accuracy.parquet"):
            there = one.folder.path / name
            assert there.read_bytes() == (other.folder.path / name).read_bytes()
        assert not (one.folder.path / "state.safetensors").exists()
    assert not any(result.trained for result in train_runs(spec, tmp_path / "whole"))


def test_a_run_is_trained_by_one_at_a_time(tmp_path: Path) -> None:
    spec = BindingSpec(recipe=small.recipe(), arm="noise-text", factors=FACTORS, seeds=(3, 4))
    other = replace(spec, seeds=(4, 5))
    refused = []

    def meanwhile(step: int, *_: object) -> None:
        if step == 5:
            with pytest.raises(DataError, match=r"^another process trains .*: wait for it to end$"):
                train_runs(other, tmp_path)
            refused.append(step)

    results = train_runs(spec, tmp_path, meanwhile)
    assert refused == [5]
    # of the run that was refused with it nothing is left, nor a lock of the others
    assert {path.name for path in tmp_path.iterdir()} == {one.run_id for one in results}
    assert not list(tmp_path.rglob("lock"))
    assert [one.trained for one in train_runs(other, tmp_path)] == [False, True]


def test_what_is_finished_once_it_is_had_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = BindingSpec(recipe=small.recipe(), arm="text", factors={}, seeds=(3,))
    own_runs = whole_run.own_runs

    def late(folders: Iterable[Path]) -> AbstractContextManager[None]:
        """Another process trains the run between the first look and the lock."""
        monkeypatch.setattr(whole_run, "own_runs", own_runs)
        assert train_runs(spec, tmp_path)[0].trained
        return own_runs(folders)

    monkeypatch.setattr(whole_run, "own_runs", late)
    assert not train_runs(spec, tmp_path)[0].trained


def test_what_a_run_leaves(tmp_path: Path) -> None:
    spec = BindingSpec(
        recipe=small.recipe(keep_every=4), arm="noise-text", factors=FACTORS, seeds=(0,)
    )
    (result,) = train_runs(spec, tmp_path)
    record = result.folder.record()
    assert record is not None
    assert (record["status"], record["n_steps"], record["start"]) == ("finished", 10, "scratch")
    assert (record["uses_noise"], record["uses_image"]) == (True, False)
    # 10 steps of 4 sequences with min(2, N) = 2 questions
    assert record["n_questions"] == 80
    decoder, said = load_decoder(result.folder.path / RUN_WEIGHTS)
    assert said["step"] == 10
    assert decoder.n_params() == record["n_params"]
    assert list(result.folder.kept()) == [3, 4, 6, 8, 10]
    last = load_file(result.folder.kept()[10])
    assert all(torch.equal(getattr(decoder, name)[0], value) for name, value in last.items())
    rows = pq.read_table(result.folder.path / "accuracy.parquet")
    assert rows.schema.equals(ACCURACY)
    ends = {(row["step"], row["stage"]) for row in rows.to_pylist() if row["ends_stage"]}
    assert ends == {(3, "pairs"), (6, "hops"), (10, "mixed")}
    # three kinds of questions, 2 to 4 objects
    assert sum(row["step"] == 10 for row in rows.to_pylist()) == 9
    assert {row["n_objects"]: row["in_distribution"] for row in rows.to_pylist()} == {
        2: True, 3: True, 4: False,
    }  # fmt: skip


def test_a_run_starts_from_anothers_weights(tmp_path: Path) -> None:
    first = BindingSpec(recipe=small.recipe(), arm="text", factors={}, seeds=(0,))
    (start,) = train_runs(first, tmp_path)
    decoder = load_decoder(start.folder.path / RUN_WEIGHTS)[0]
    then = replace(first, starts=[(start.run_id, decoder)])
    (result,) = train_runs(then, tmp_path)
    assert result.run_id != start.run_id
    record = result.folder.record()
    assert record is not None
    assert (record["start"], record["start_run_id"]) == ("text-trained", start.run_id)
    before = [row for row in pq.read_table(result.folder.path / "accuracy.parquet").to_pylist()
              if row["step"] == 0]  # fmt: skip
    after = [row for row in pq.read_table(start.folder.path / "accuracy.parquet").to_pylist()
             if row["step"] == 10 and row["question"] == "two"]  # fmt: skip
    # it begins as the other ended; both looks ask the same scenes, 3 and 12 of them
    assert [row["n_objects"] for row in before] == [row["n_objects"] for row in after]
    assert all(row["stage"] == "start" for row in before)


def test_a_loss_that_is_no_number_ends_the_run(tmp_path: Path) -> None:
    recipe = small.recipe(optimiser="adamw", learning_rate=1e30, warmup_steps=0)
    spec = BindingSpec(recipe=recipe, arm="text", factors={}, seeds=(0,))
    with pytest.raises(
        ConfigError, match=r"the loss of seed 0 at step \d+ is nan: take a learning_rate"
    ):
        train_runs(spec, tmp_path)
    record = BindingFolder(tmp_path / spec.run_id(0)).record()
    assert record is not None
    assert record["status"] == "failed"
