"""A run that was stopped or killed goes on with the same bits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from taxonomy.errors import DataError
from tests.xmodal.align import small
from xmodal.align.checkpoint import Checkpoint
from xmodal.align.projection import AlignerConfig
from xmodal.align.run import AlignSpec, train_run
from xmodal.align.trainer import Trainer

ALIGNERS = (
    AlignerConfig(text=small.MLP),
    AlignerConfig(text=small.MLP, image=small.MLP, learned_scale=True),
)


def run_of(aligner: AlignerConfig, rows: int | None = None) -> Trainer:
    return small.trainer(recipe=small.recipe(aligner, look_every=2), rows=rows)


@pytest.mark.parametrize(
    ("aligner", "rows", "step"),
    [(ALIGNERS[0], None, 1), (ALIGNERS[0], 7, 11), (ALIGNERS[1], None, 6), (ALIGNERS[1], 7, 5)],
)
def test_a_saved_state_gives_the_same_bits(
    tmp_path: Path, aligner: AlignerConfig, rows: int | None, step: int
) -> None:
    run = run_of(aligner, rows)
    straight = run.run(run.start())
    saved = Checkpoint(tmp_path / "run" / "state.safetensors")
    saved.save(run.run_id, run.run(run.start(), until=step))
    torch.manual_seed(step)
    again = run_of(aligner, rows)
    state = again.start()
    assert saved.load(again.run_id, state)
    assert (state.step, state.rows) == (step, rows)
    assert small.same_state(again.run(state), straight)
    assert [file.name for file in saved.path.parent.iterdir()] == ["state.safetensors"]
    saved.drop()
    assert not saved.load(run.run_id, again.start())


def test_another_seed_gives_other_bits() -> None:
    run = run_of(ALIGNERS[0])
    one = run.run(run.start(), until=3)
    for other in (replace(run, seed_init=1), replace(run, seed_order=1)):
        assert not small.same_state(one, other.run(other.start(), until=3))
        assert other.run_id != run.run_id
    assert small.same_state(one, run.run(run.start(), until=3))


def test_a_run_is_trained_by_one_at_a_time(tmp_path: Path) -> None:
    spec, refused = AlignSpec(trainer=run_of(ALIGNERS[0]), facts={}), []

    def meanwhile(step: int, *_: object) -> None:
        if step == 3:
            with pytest.raises(DataError, match=r"^another process trains .*: wait for it to end$"):
                train_run(spec, tmp_path)
            refused.append(step)

    assert train_run(spec, tmp_path, meanwhile).trained
    assert refused == [3]
    assert not list(tmp_path.rglob("lock"))
    assert not train_run(spec, tmp_path).trained


def test_a_run_killed_while_it_saves_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    # with half of the seventh state written
    program = f"""
        import os, signal
        from pathlib import Path
        from xmodal.align import checkpoint
        from tests.xmodal.align import test_resume
        run = test_resume.run_of(test_resume.ALIGNERS[1])
        saved = checkpoint.Checkpoint(Path({str(path)!r}))
        def half(tensors, path, metadata):
            path.write_bytes(b"half")
            os.kill(os.getpid(), signal.SIGKILL)
        def save(state, loss):
            if state.step == 7:
                checkpoint.save_file = half
            saved.save(run.run_id, state)
        run.run(run.start(), on_step=save)
    """
    env = os.environ | {"PYTHONHASHSEED": "5", "OMP_NUM_THREADS": str(torch.get_num_threads())}
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], env=env, check=False)
    assert killed.returncode == -signal.SIGKILL
    run = run_of(ALIGNERS[1])
    state = run.start()
    assert Checkpoint(path).load(run.run_id, state)
    assert state.step == 6
    assert small.same_state(run.run(state), run.run(run.start()))


def test_damaged_and_other_states_are_refused(tmp_path: Path) -> None:
    run = run_of(ALIGNERS[0])
    saved = Checkpoint(tmp_path / "state.safetensors")
    saved.save(run.run_id, run.run(run.start(), until=2))
    assert load_file(saved.path).keys() >= {
        "aligner/text.norms.0.running_var",
        "optimiser/0/exp_avg",
    }
    other = replace(run, seed_order=3)
    with pytest.raises(DataError) as error:
        saved.load(other.run_id, other.start())
    assert str(error.value) == (
        f"{saved.path} cannot be read (it is of run {run.run_id}, not {other.run_id}); "
        "delete it to train anew"
    )
    wider = run_of(ALIGNERS[1])
    with pytest.raises(DataError, match=r"cannot be read .*; delete it") as error:
        saved.load(run.run_id, wider.start())
    assert "\n" not in str(error.value)
    saved.path.write_bytes(saved.path.read_bytes()[:500])
    with pytest.raises(DataError, match=r"cannot be read .*; delete it"):
        saved.load(run.run_id, run.start())
