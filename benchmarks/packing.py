"""One training step on the embedded LM: questions behind one prefix against one sequence each.

python -m benchmarks.packing [--steps 40] [--output benchmarks/results/packing.json]

Forward and backward of 32 images with 5 questions each, on one thread, the two layouts in turn;
and what xmodal chooses when it is left to it.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import torch

from benchmarks.result import report
from xmodal.vlm.forward import Questions, answer_logits, packing_pays, tokenise
from xmodal.vlm.lm import LanguageModel, load_lm
from xmodal.vlm.prompts import prompt_template

N_IMAGES, N_QUESTIONS = 32, 5
PHRASES = ["a parrot", "a piano", "a hammer", "an apple", "a bird"]


def seconds(lm: LanguageModel, questions: Questions, n_prefix: int, *, packed: bool) -> float:
    """Wall time of one forward and backward pass."""
    prefix = (torch.randn(N_IMAGES, n_prefix, lm.width) * lm.embedding_rms).requires_grad_()
    image = torch.arange(N_IMAGES).repeat_interleave(N_QUESTIONS)
    asked = torch.arange(N_QUESTIONS).repeat(N_IMAGES)
    started = time.perf_counter()
    logits = answer_logits(lm, prefix, questions, image, asked, packed=packed)
    torch.autograd.backward(logits.log_softmax(1)[:, questions.yes_id].mean())
    return time.perf_counter() - started


def main() -> None:
    """Time both layouts in turn for several numbers of prefix tokens."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    lm = load_lm("embedded")
    questions = tokenise(lm, prompt_template("default"), PHRASES)
    image = torch.arange(N_IMAGES).repeat_interleave(N_QUESTIONS)
    rows = []
    for n_prefix in (1, 3, 8, 32, 128):
        times: dict[bool, list[float]] = {False: [], True: []}
        for step in range(asked.steps + 2):
            for packed in times:
                took = seconds(lm, questions, n_prefix, packed=packed)
                if step >= 2:
                    times[packed].append(took)
        plain, packed_s = (statistics.median(times[packed]) for packed in (False, True))
        n_text = questions.tokens.shape[1]
        rows.append(
            {
                "prefix_tokens": n_prefix,
                "plain_ms": round(plain * 1e3, 2),
                "packed_ms": round(packed_s * 1e3, 2),
                "plain_over_packed": round(plain / packed_s, 2),
                "packed_is_chosen": packing_pays(image, n_text, N_IMAGES, n_prefix, lm.width),
            }
        )
    report({"steps": asked.steps, "rows": rows}, ("torch", "transformers"), asked.output)


if __name__ == "__main__":
    main()
