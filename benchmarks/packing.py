"""One training step on the embedded LM: questions behind one prefix against one sequence each.

python -m benchmarks.packing [--steps 40] [--output benchmarks/results/packing.json]

Processor time of forward and backward of 32 images on one thread: 5 questions each, and 5 each but
for one image with 60. One question a row, one row an image, and what xmodal chooses when it is left
to it, in turn.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.result import report
from xmodal.lms.causal import LanguageModel, load_lm
from xmodal.vlm.forward import Questions, answer_logits, tokenise
from xmodal.vlm.prompts import prompt_template
from xmodal.vlm.rows import cheapest

PHRASES = ["a parrot", "a piano", "a hammer", "an apple", "a bird"]
COUNTS = {"even": [5] * 32, "one image with 60": [60] + [5] * 31}
LAYOUTS = {"plain": False, "one_row": True, "chosen": None}


def seconds(
    lm: LanguageModel,
    questions: Questions,
    n_prefix: int,
    image: torch.Tensor,
    *,
    packed: bool | None,
) -> float:
    """Processor time of one forward and backward pass, which other work does not lengthen."""
    n_images = int(image.max()) + 1
    prefix = (torch.randn(n_images, n_prefix, lm.width) * lm.embedding_rms).requires_grad_()
    asked = torch.arange(len(image)) % len(PHRASES)
    started = time.process_time()
    logits = answer_logits(lm, prefix, questions, image, asked, packed=packed)
    torch.autograd.backward(logits.log_softmax(1)[:, questions.yes_id].mean())
    return time.process_time() - started


def main() -> None:
    """Time the layouts in turn for several numbers of prefix tokens."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    lm = load_lm("embedded")
    questions = tokenise(lm, prompt_template("default"), PHRASES)
    rows = []
    for name, counts in COUNTS.items():
        image = np.repeat(np.arange(len(counts)), counts)
        lengths = questions.lengths.numpy()[np.arange(len(image)) % len(PHRASES)]
        for n_prefix in (1, 3, 8, 32, 128):
            times: dict[str, list[float]] = {layout: [] for layout in LAYOUTS}
            for step in range(given.steps + 2):
                for layout, packed in LAYOUTS.items():
                    took = seconds(lm, questions, n_prefix, torch.from_numpy(image), packed=packed)
                    if step >= 2:
                        times[layout].append(took)
            median = {layout: statistics.median(took) for layout, took in times.items()}
            chosen = cheapest(image, lengths, n_prefix, lm.width)
            rows.append(
                {
                    "images": name,
                    "prefix_tokens": n_prefix,
                    **{f"{layout}_ms": round(took * 1e3, 2) for layout, took in median.items()},
                    "chosen_rows": len(chosen),
                    "chosen_row_tokens": n_prefix + chosen.n_text,
                    "plain_over_chosen": round(median["plain"] / median["chosen"], 2),
                }
            )
    report({"steps": given.steps, "rows": rows}, ("torch", "transformers"), given.output)


if __name__ == "__main__":
    main()
