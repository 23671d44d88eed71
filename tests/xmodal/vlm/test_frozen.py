"""What training may change, and what it must not."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest
import torch

from tests.xmodal import tiny
from xmodal.lms.causal import load_lm, weights_sha256
from xmodal.vlm.group_run import run
from xmodal.vlm.run_folder import RunFolder


@pytest.mark.parametrize("architecture", tiny.ARCHITECTURES)
def test_training_changes_the_projector_and_nothing_else(
    architecture: str, folder: Path, tmp_path: Path
) -> None:
    lm = load_lm(str(tiny.save_lm(tmp_path / "lm", architecture)))
    spec = tiny.spec(folder, lm)
    before = {name: value.clone() for name, value in lm.model.state_dict().items()}
    array = spec.features.path / "features.npy"
    bytes_before, mtime = array.read_bytes(), array.stat().st_mtime_ns
    result = run(spec, tmp_path / "runs")
    after = lm.model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert weights_sha256(lm.model) == lm.sha256
    assert all(p.grad is None for p in lm.model.parameters())
    assert (array.read_bytes(), array.stat().st_mtime_ns) == (bytes_before, mtime)
    assert sha256(bytes_before).hexdigest() == spec.features.sha256
    trained = tiny.load_projector(RunFolder(result.path))
    fresh = tiny.trainer(spec).start().projector.state_dict()
    assert trained.keys() == fresh.keys()
    assert all(not torch.equal(trained[name], fresh[name]) for name in fresh)


def test_after_one_step_every_projector_weight_has_a_gradient(
    folder: Path, lm_folder: Path
) -> None:
    lm = load_lm(str(lm_folder))
    trainer = tiny.trainer(tiny.spec(folder, lm))
    state = trainer.run(trainer.start(), until=1)
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in state.projector.parameters())
    assert all(p.grad is None for p in lm.model.parameters())


def test_training_leaves_the_callers_random_state_alone(folder: Path, lm_folder: Path) -> None:
    trainer = tiny.trainer(tiny.spec(folder, load_lm(str(lm_folder))))
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    trainer.run(trainer.start(), until=2)
    assert torch.equal(before, torch.random.get_rng_state())
