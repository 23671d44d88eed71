"""Training and evaluation against the plain path: the encoder each step, one question a sequence.

python -m benchmarks.train_speed [--shape small|0.6b|1.7b] [--device cpu|cuda] [--repeats 5]
    [--output benchmarks/results/train_speed.json]

Plain: pixels through the image encoder at every step, 16 questions a step, each a sequence of its
own behind its image's prefix, the LM head at every position, loss on the answer; evaluation one
question at a time. Ours: features read from memory, the questions of an image behind one prefix,
the head at the answers alone, evaluation in batches. Same machine, weights, dtype, attention kernel
(SDPA), projector and optimiser; random weights of the architecture; data in memory; nothing is
recomputed. A unit is `questions` questions about each of `images` images: plain takes several steps
for them. Seconds are the median of the repeats, the two paths in turn.

Also: the LM's forward and backward alone in both layouts (`bare`), useful operations a second
(xmodal.vlm.cost), the largest difference of the two paths' logits, and peak memory on a GPU.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, Dinov2WithRegistersConfig, Qwen3Config
from transformers.models.dinov2_with_registers import Dinov2WithRegistersModel

from benchmarks.result import report
from xmodal.lms.causal import LanguageModel
from xmodal.vlm.cost import layer_parameters, lm_flops
from xmodal.vlm.forward import Questions, answer_logits
from xmodal.vlm.projector import Projector, ProjectorConfig

PLAIN_BATCH = 16
YES, NO = 5, 7
N_TEXT = 14
"""Tokens of a question and its frame, the paper's mean."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What is trained: an LM, an encoder, and how much is asked of it in a unit."""

    lm: dict[str, int]
    encoder: dict[str, int]
    images: int
    questions: int
    tie: bool = True


def _encoder(width: int, layers: int, heads: int, patch: int, side: int) -> dict[str, int]:
    return {
        "hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": heads,
        "patch_size": patch, "image_size": side, "num_register_tokens": 4,
    }  # fmt: skip


def _qwen3(width: int, layers: int, heads: int, kv: int, head: int, inner: int, v: int) -> Any:
    return {
        "hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": heads,
        "num_key_value_heads": kv, "head_dim": head, "intermediate_size": inner, "vocab_size": v,
    }  # fmt: skip


DINOV2_L = _encoder(1024, 24, 16, 14, 224)
SHAPES = {
    "small": Shape(
        lm=_qwen3(256, 4, 4, 2, 64, 768, 4096),
        encoder=_encoder(192, 4, 3, 14, 224),
        images=8,
        questions=6,
    ),
    "0.6b": Shape(
        lm=_qwen3(1024, 28, 16, 8, 128, 3072, 151936), encoder=DINOV2_L, images=40, questions=6
    ),
    "1.7b": Shape(
        lm=_qwen3(2048, 28, 16, 8, 128, 6144, 151936), encoder=DINOV2_L, images=40, questions=6
    ),
}


class World:
    """Models, pixels, features and questions of a shape."""

    def __init__(self, shape: Shape, device: str) -> None:
        self.shape, self.device = shape, torch.device(device)
        dtype = torch.float32 if device == "cpu" else torch.bfloat16
        torch.manual_seed(0)
        config = Qwen3Config(**shape.lm, tie_word_embeddings=shape.tie)
        model = AutoModelForCausalLM.from_config(config, dtype=dtype)
        self.model = model.to(device).eval().requires_grad_(False)
        vision = Dinov2WithRegistersModel(Dinov2WithRegistersConfig(**shape.encoder))
        self.encoder = vision.to(device, dtype).eval().requires_grad_(False)
        self.lm = LanguageModel("random", "random", None, self.model, None, "")
        self.lm.__dict__["start_ids"] = []
        side, n = shape.encoder["image_size"], shape.images
        self.pixels = torch.randn(n, 3, side, side, device=device, dtype=dtype)
        self.features = self.encode(self.pixels).float()
        n_asked = shape.images * shape.questions
        tokens = torch.randint(8, shape.lm["vocab_size"], (n_asked, N_TEXT))
        lengths = torch.full((n_asked,), N_TEXT)
        self.questions = Questions(tokens, lengths, YES, NO)
        self.image = torch.arange(n_asked) // shape.questions
        self.target = torch.where(torch.rand(n_asked) < 0.5, YES, NO).to(device)
        self.projector = Projector(
            ProjectorConfig(), shape.encoder["hidden_size"], shape.lm["hidden_size"]
        ).to(device)
        self.optimiser = torch.optim.AdamW(self.projector.parameters(), lr=1e-5)

    @torch.no_grad()
    def encode(self, pixels: Tensor) -> Tensor:
        """Patch tokens of the penultimate block."""
        hidden = self.encoder(pixels, output_hidden_states=True).hidden_states[-2]
        return hidden[:, 1 + self.shape.encoder["num_register_tokens"] :]

    def sync(self) -> None:
        """Wait for the device."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def step(self, loss: Tensor) -> None:
        """Clip, update, forget the gradients."""
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.projector.parameters(), 1.0)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)

    def plain_logits(self, rows: Tensor) -> Tensor:
        """One question a sequence, encoder and head everywhere; [rows, length, vocabulary]."""
        prefix = self.projector(self.encode(self.pixels[self.image[rows]]).float())
        text = self.lm.embed(self.questions.tokens[rows].to(self.device))
        sequence = torch.cat([prefix.to(text.dtype), text], dim=1)
        logits: Tensor = self.model(inputs_embeds=sequence, use_cache=False).logits
        return logits

    def plain_train(self) -> None:
        """All questions of the unit, 16 a step; loss over every position, -100 but the answer."""
        for rows in torch.arange(len(self.image)).split(PLAIN_BATCH):
            logits = self.plain_logits(rows).float()
            labels = torch.full(logits.shape[:2], -100, device=self.device)
            labels[:, -1] = self.target[rows]
            self.step(nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten()))

    def our_logits(self) -> Tensor:
        """All questions of the unit behind one prefix an image; [questions, vocabulary]."""
        prefix = self.projector(self.features)
        asked = torch.arange(len(self.image))
        return answer_logits(self.lm, prefix, self.questions, self.image, asked)

    def our_train(self) -> None:
        """All questions of the unit in one step."""
        self.step(nn.functional.cross_entropy(self.our_logits(), self.target))

    @torch.no_grad()
    def plain_eval(self) -> Tensor:
        """One question at a time."""
        rows = torch.arange(len(self.image)).split(1)
        return torch.cat([self.plain_logits(row)[:, -1, [YES, NO]].float() for row in rows])

    @torch.no_grad()
    def our_eval(self) -> Tensor:
        """In one batch."""
        return self.our_logits()[:, [YES, NO]]

    def bare(self, packed: bool) -> None:
        """The LM there and back on given prefix tokens, questions packed or not."""
        width = self.shape.lm["hidden_size"]
        n_prefix = self.features.shape[1]
        prefix = torch.randn(self.shape.images, n_prefix, width, device=self.device)
        prefix = (prefix * 0.02).requires_grad_()
        asked = torch.arange(len(self.image))
        logits = answer_logits(self.lm, prefix, self.questions, self.image, asked, packed=packed)
        torch.autograd.backward(nn.functional.cross_entropy(logits, self.target))


def in_turn(world: World, ways: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Median seconds of each way, run in turn after one round that is not counted."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(repeats + 1):
        for name, way in ways.items():
            world.sync()
            started = time.perf_counter()
            way()
            world.sync()
            if number:
                times[name].append(time.perf_counter() - started)
    return {name: statistics.median(taken) for name, taken in times.items()}


def main() -> None:
    """Both paths in turn: training, evaluation, the bare LM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", choices=SHAPES, default="small")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    if asked.threads:
        torch.set_num_threads(asked.threads)
    world = World(SHAPES[asked.shape], asked.device)
    plain, ours = world.plain_eval(), world.our_eval()
    apart = float(((plain - ours).abs() / plain.abs().clamp_min(1)).max())
    train = in_turn(world, {"plain": world.plain_train, "ours": world.our_train}, asked.repeats)
    score = in_turn(world, {"plain": world.plain_eval, "ours": world.our_eval}, asked.repeats)
    bare = in_turn(
        world,
        {"plain": lambda: world.bare(False), "packed": lambda: world.bare(True)},
        asked.repeats,
    )
    n = len(world.image)
    n_prefix = world.features.shape[1]
    useful = lm_flops(world.lm, world.shape.images, n_prefix, np.full(n, N_TEXT))
    numbers: dict[str, Any] = {
        "shape": asked.shape,
        "device": torch.cuda.get_device_name() if asked.device != "cpu" else "cpu",
        "threads": torch.get_num_threads(),
        "dtype": str(world.lm.dtype).removeprefix("torch."),
        "attention": world.model.config._attn_implementation,
        "lm_layer_parameters": layer_parameters(world.model),
        "prefix_tokens": n_prefix,
        "images": world.shape.images,
        "questions_an_image": world.shape.questions,
        "train_speedup": round(train["plain"] / train["ours"], 2),
        "eval_speedup": round(score["plain"] / score["ours"], 2),
        "bare_speedup": round(bare["plain"] / bare["packed"], 2),
        "questions_per_s": {
            "train_plain": round(n / train["plain"], 2),
            "train_ours": round(n / train["ours"], 2),
            "eval_plain": round(n / score["plain"], 2),
            "eval_ours": round(n / score["ours"], 2),
        },
        "useful_gflops_per_s": round(useful / train["ours"] / 1e9, 2),
        "largest_difference": apart,
    }
    if asked.device != "cpu":
        numbers["peak_gib"] = round(torch.cuda.max_memory_allocated() / 2**30, 2)
    report(numbers, ("torch", "transformers"), asked.output)


if __name__ == "__main__":
    main()
