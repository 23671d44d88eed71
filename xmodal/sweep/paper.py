"""The grid of runs that S1 reports, and what it would take on the machine at hand.

435 runs: Qwen3-0.6B and 1.7B 120 each (10 conditions, 3 seeds; labels as they are, shuffled within
and across categories, and with random weights), Llama-3.2-1B and its Instruct version 180 together,
SigLIP 6, Qwen3-8B 9. The released results hold the Qwen3 runs of up to 1.7B on DINOv2 alone; which
conditions the other 195 runs are of, the numbers and the released names leave open. `assumed` marks
what was taken for them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa

from taxonomy.errors import ManifestError
from taxonomy.manifest.s1 import ACROSS, N_HELD_OUT_HYPERNYMS, RATIOS, SEMANTICS
from taxonomy.model import one_of
from xmodal.store import Store
from xmodal.sweep.declared import Block, Declared
from xmodal.vlm.recipes import RECIPES

SEEDS = (42, 218, 7)
Design: TypeAlias = tuple[str, str, float, int]
"""Shuffle, design, its ratio or number of hypernyms, seed."""
DINO, SIGLIP = "facebook/dinov2-with-registers-large", "google/siglip-large-patch16-256"
_CONDITIONS: tuple[tuple[str, float], ...] = (
    *(("random", one) for one in RATIOS),
    *(("systematic", float(one)) for one in N_HELD_OUT_HYPERNYMS),
)
HELD_OUT: Mapping[tuple[str, float], float] = dict(
    zip(
        _CONDITIONS,
        (0.175, 0.482, 0.700, 0.854, 0.959, 1.0, 0.357, 0.549, 0.730, 0.829),
        strict=True,
    )
)
"""Share of the hypernym questions that each condition takes from training, by the released counts
of test questions."""
N_LEAF, N_HYPERNYM, N_TEST = 23_000, 39_000, 24_881
"""Training questions about leaves, and about hypernyms with nothing held out; test questions."""
N_PREFIX, N_TEXT = 256, 14
"""Tokens of a picture and of a question."""
N_MODES = 2
"""Ways that pictures are shown when a run is scored."""


@dataclass(frozen=True)
class Shape:
    """A decoder's sizes, from its published config."""

    name: str
    n_layers: int
    width: int
    n_heads: int
    n_kv: int
    head: int
    hidden: int
    vocabulary: int

    @property
    def layer(self) -> int:
        """Weights of a layer's matrices."""
        attention = self.width * self.head * (2 * self.n_heads + 2 * self.n_kv)
        return attention + 3 * self.width * self.hidden

    def question_flops(self, *, backward: bool = True) -> float:
        """Useful operations of one question with its own prefix; see xmodal.vlm.cost."""
        n = N_PREFIX + N_TEXT
        weights = 2.0 * self.n_layers * self.layer * n
        attention = 4.0 * self.n_layers * self.n_heads * self.head * n * (n + 1) / 2
        answer = 2.0 * self.width * self.vocabulary
        if not backward:
            return weights + attention + answer
        return 2 * (weights + answer) + 3 * attention


SHAPES = {
    one.name: one
    for one in (
        Shape("Qwen/Qwen3-0.6B", 28, 1024, 16, 8, 128, 3072, 151_936),
        Shape("Qwen/Qwen3-1.7B", 28, 2048, 16, 8, 128, 6144, 151_936),
        Shape("Qwen/Qwen3-8B", 36, 4096, 32, 8, 128, 12_288, 151_936),
        Shape("meta-llama/Llama-3.2-1B", 16, 2048, 32, 8, 64, 8192, 128_256),
        Shape("meta-llama/Llama-3.2-1B-Instruct", 16, 2048, 32, 8, 64, 8192, 128_256),
    )
}


@dataclass(frozen=True, kw_only=True)
class Part:
    """Runs of the grid that share LM, weights and encoder."""

    lm: str
    lm_init: str = "pretrained"
    encoder: str = DINO
    shuffles: tuple[str, ...] = ("none", "within", ACROSS)
    conditions: tuple[tuple[str, float], ...] = _CONDITIONS
    assumed: str = ""
    """What the sources leave open about these runs."""

    def wanted(self) -> set[Design]:
        """The manifests, each trained on once."""
        return {
            (shuffle, *one, seed)
            for shuffle in self.shuffles
            for one in self.conditions
            for seed in SEEDS
        }

    @property
    def n_runs(self) -> int:
        """Conditions, shuffles and seeds."""
        return len(self.wanted())

    @property
    def flops(self) -> float:
        """Useful operations of all its runs, trained by S1's recipe and scored."""
        shape, epochs = SHAPES[self.lm], RECIPES["s1"].epochs
        asked = sum(N_LEAF + N_HYPERNYM * (1 - HELD_OUT[one]) for one in self.conditions)
        train = asked * epochs * shape.question_flops()
        scored = len(self.conditions) * N_TEST * N_MODES * shape.question_flops(backward=False)
        return (train + scored) * len(self.shuffles) * len(SEEDS)


ALL_GONE = (("random", 1.0),)
S1 = (
    Part(lm="Qwen/Qwen3-0.6B"),
    Part(lm="Qwen/Qwen3-0.6B", lm_init="random", shuffles=("none",)),
    Part(lm="Qwen/Qwen3-1.7B"),
    Part(lm="Qwen/Qwen3-1.7B", lm_init="random", shuffles=("none",)),
    Part(lm="meta-llama/Llama-3.2-1B", assumed="arms: as they are, within, across"),
    Part(lm="meta-llama/Llama-3.2-1B-Instruct", assumed="arms: as they are, within, across"),
    Part(
        lm="Qwen/Qwen3-0.6B", encoder=SIGLIP, shuffles=("none",), conditions=ALL_GONE,
        assumed="all held out; the SigLIP model's size",
    ),
    Part(
        lm="Qwen/Qwen3-1.7B", encoder=SIGLIP, shuffles=("none",), conditions=ALL_GONE,
        assumed="all held out; the SigLIP model's size",
    ),
    Part(lm="Qwen/Qwen3-8B", conditions=ALL_GONE, assumed="all held out, the three arms"),
)  # fmt: skip
_ALL = frozenset(one for part in S1 for one in part.wanted())
TABLE = pa.schema(
    [
        pa.field("lm", pa.string(), nullable=False),
        pa.field("lm_init", pa.string(), nullable=False),
        pa.field("encoder", pa.string(), nullable=False),
        pa.field("n_conditions", pa.int64(), nullable=False),
        pa.field("shuffles", pa.string(), nullable=False),
        pa.field("n_seeds", pa.int64(), nullable=False),
        pa.field("n_runs", pa.int64(), nullable=False),
        pa.field("n_manifests_here", pa.int64(), nullable=False),
        pa.field("pflop", pa.float64(), nullable=False),
        pa.field("hours", pa.float64(), nullable=False),
        pa.field("assumed", pa.string(), nullable=False),
    ]
)


@dataclass(frozen=True)
class PaperPlan:
    """What `xmodal sweep plan --paper` shows."""

    table: pa.Table
    headline: str


def paper_plan(store: Path, paper: str) -> PaperPlan:
    """The paper's grid part by part, with the hours it would take on this machine's device.

    Hours are operations by the LMs' published sizes over the rate that a layer of Qwen3-0.6B
    reaches here, forward and backward, in S1's batches; encoders run once and are left out.

    Args:
        store: The DuckDB file; it may be missing.
        paper: s1.
    """
    one_of("paper", paper, ("s1",))
    here: set[Design] = set()
    if store.is_file():
        here.update(_manifests(store))
    rate, device = layer_rate()
    rows = [
        {
            "lm": part.lm,
            "lm_init": part.lm_init,
            "encoder": part.encoder,
            "n_conditions": len(part.conditions),
            "shuffles": ", ".join(part.shuffles),
            "n_seeds": len(SEEDS),
            "n_runs": part.n_runs,
            "n_manifests_here": len(part.wanted() & here),
            "pflop": round(part.flops / 1e15, 1),
            "hours": round(part.flops / rate / 3600, 2),
            "assumed": part.assumed,
        }
        for part in S1
    ]
    n_runs = sum(part.n_runs for part in S1)
    hours = sum(part.flops for part in S1) / rate / 3600
    n_manifests = len(_ALL)
    return PaperPlan(
        pa.Table.from_pylist(rows, schema=TABLE),
        f"the paper's whole grid: {n_runs} runs over {n_manifests} manifests, about {hours:,.0f} h "
        f"on {device}, at {rate / 1e12:.3g} TFLOP/s as a layer of Qwen3-0.6B reaches there; "
        f"{len(here)} of the manifests are in {store}",
    )


def paper_sweep(paper: str, store: Path) -> Declared:
    """The paper's grid over the manifests of a store.

    Raises:
        ManifestError: Some of the grid's manifests are not there, or there twice.
    """
    one_of("paper", paper, ("s1",))
    found = _manifests(store)
    if missing := _ALL - found.keys():
        knobs = " ".join(f"--{name} {value}" for name, value in SEMANTICS.items())
        raise ManifestError(
            f"{store} holds {len(_ALL) - len(missing)} of the {len(_ALL)} manifests of the "
            "paper's grid: build them (`xmodal manifest grid --paper s1 --seeds "
            f"{','.join(map(str, SEEDS))} {knobs}`)"
        )
    for (shuffle, design, level, seed), ids in found.items():
        if len(ids) > 1:
            raise ManifestError(
                f"{store} holds the design {design} {level:g}, shuffle {shuffle}, seed {seed} "
                f"{len(ids)} times, as {', '.join(ids)}: keep THINGS in a store of its own"
            )
    blocks = tuple(
        Block(
            manifests=tuple(found[one][0] for one in sorted(part.wanted())),
            lms=(part.lm,),
            lm_inits=(part.lm_init,),
            features=(part.encoder,),
            recipes=("s1",),
            prompt="s1",
            seed_of_manifest=True,
        )
        for part in S1
    )
    return Declared("S1, the whole grid", blocks)


def _manifests(store: Path) -> dict[Design, list[str]]:
    """Ids of the manifests as S1's code draws them, by shuffle, condition and seed."""
    with Store.open(store, read_only=True) as opened:
        rows = opened.manifests().to_pylist()
    found: dict[Design, list[str]] = {}
    for row in rows:
        condition = _condition(row)
        if condition in HELD_OUT and _is_s1(row) and row["seed"] in SEEDS:
            found.setdefault((row["shuffle"], *condition, row["seed"]), []).append(
                row["manifest_id"]
            )
    return found


def _is_s1(row: Mapping[str, Any]) -> bool:
    return [row[name] for name in SEMANTICS] == list(SEMANTICS.values())


def _condition(row: Mapping[str, Any]) -> tuple[str, float]:
    level = row["n_held_out_hypernyms"] if row["design"] == "systematic" else row["ratio"]
    return row["design"], float(level or 0)


def layer_rate() -> tuple[float, str]:
    """Operations a second of a layer of Qwen3-0.6B here, forward and backward, and the device."""
    import torch
    from transformers import Qwen3Config, Qwen3Model

    shape = SHAPES["Qwen/Qwen3-0.6B"]
    on_gpu = torch.cuda.is_available()
    device = torch.device("cuda" if on_gpu else "cpu")
    config = Qwen3Config(
        num_hidden_layers=1, hidden_size=shape.width, num_attention_heads=shape.n_heads,
        num_key_value_heads=shape.n_kv, head_dim=shape.head, intermediate_size=shape.hidden,
        vocab_size=8,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        model: Any = Qwen3Model(config)
        model = model.to(device, torch.bfloat16 if on_gpu else torch.float32)
        batch = RECIPES["s1"].batch_size if on_gpu else 2
        shown = torch.randn(batch, N_PREFIX + N_TEXT, shape.width)
    model.requires_grad_(False)
    tokens = shown.to(device, model.dtype).requires_grad_()
    times = list(_passes(model, tokens, on_gpu))
    name = torch.cuda.get_device_name() if on_gpu else f"cpu ({torch.get_num_threads()} threads)"
    n = N_PREFIX + N_TEXT
    attention = 4.0 * shape.n_heads * shape.head * n * (n + 1) / 2
    return batch * (4.0 * shape.layer * n + 3 * attention) / min(times), name


def _passes(model: Any, tokens: Any, on_gpu: bool) -> Iterator[float]:
    """Seconds of some passes, the first of which is not counted."""
    import torch

    for number in range(6 if on_gpu else 3):
        started = time.perf_counter()
        model(inputs_embeds=tokens).last_hidden_state.float().sum().backward()
        if on_gpu:
            torch.cuda.synchronize()
        if number:
            yield time.perf_counter() - started
