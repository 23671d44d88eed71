"""The paper's grid: how many runs, over which manifests, at what cost."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from taxonomy.errors import ManifestError
from xmodal.store import Store
from xmodal.sweep.paper import N_PREFIX, N_TEXT, S1, SHAPES, paper_sweep


def test_the_grid_is_the_paper_s_435_runs() -> None:
    n_runs = Counter[str]()
    for part in S1:
        name = "Llama" if "Llama" in part.lm else "SigLIP" if "siglip" in part.encoder else part.lm
        n_runs[name] += part.n_runs
    assert n_runs == {
        "Qwen/Qwen3-0.6B": 120,
        "Qwen/Qwen3-1.7B": 120,
        "Llama": 180,
        "SigLIP": 6,
        "Qwen/Qwen3-8B": 9,
    }
    assert n_runs.total() == 435


@pytest.mark.parametrize(("lm", "gflop"), [("Qwen/Qwen3-0.6B", 115), ("Qwen/Qwen3-1.7B", 355)])
def test_a_question_s_operations_are_those_worked_out_by_hand(lm: str, gflop: float) -> None:
    # 5.4 questions packed on one prefix: 256 / 5.4 + 14 tokens a question
    shape = SHAPES[lm]
    n_tokens = N_PREFIX / 5.4 + N_TEXT
    attended = (N_PREFIX * (N_PREFIX + 1) / 2) / 5.4 + N_TEXT * N_PREFIX + N_TEXT * (N_TEXT + 1) / 2
    weights = 4.0 * shape.n_layers * shape.layer * n_tokens
    attention = 12.0 * shape.n_layers * shape.n_heads * shape.head * attended
    packed = weights + attention + 4.0 * shape.width * shape.vocabulary
    assert packed == pytest.approx(gflop * 1e9, rel=0.05)
    # alone, each question takes its whole prefix with it
    alone = shape.question_flops()
    assert 3.5 < alone / packed < 4.5


def test_a_store_without_the_grid_is_told_how_to_build_it(tmp_path: Path) -> None:
    path = tmp_path / "x.duckdb"
    Store.open(path).close()
    with pytest.raises(ManifestError) as caught:
        paper_sweep("s1", path)
    assert "holds 0 of the 90 manifests" in str(caught.value)
    assert "xmodal manifest grid --paper s1 --seeds 42,218,7 --unit leaf" in str(caught.value)
