"""Text features against one caption a forward pass, on the shape of a 100M-parameter LM.

python -m benchmarks.text_features [--captions 192] [--threads 2] [--device cpu]
    [--output benchmarks/results/text_features.json]

A decoder and an encoder with random weights (GPT-2 small's shape and BERT base's, without their
heads: 124M and 109M). Captions are WordNet glosses of the bundle's concepts, read by the embedded
LM's tokenizer: what is compared is the number of tokens, not their meaning. Plain: each caption
alone, no mask, last hidden state of its last token, as S2's code does. Ours: TextModel.encode.
Both ways in turn, three times; the fastest of each counts. largest_difference is between the two
ways' vectors, in units of the largest number.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.result import report
from taxonomy.model import TaxonomyConfig
from xmodal.lms.causal import load_lm
from xmodal.lms.reader import LONGEST, Pooling
from xmodal.lms.text import TextModel
from xmodal.taxonomies import build_taxonomy

_LAST = Pooling("last")


def captions(n: int) -> list[str]:
    """Glosses, over and over until there are n."""
    glosses = build_taxonomy(TaxonomyConfig()).concepts["gloss"].to_pylist()
    texts = sorted({text for text in glosses if text})
    return [texts[i % len(texts)] for i in range(n)]


def models(device: str) -> dict[str, TextModel]:
    """Both shapes, random weights, with a tokenizer that knows some thousand words."""
    from transformers import BertConfig, BertModel, GPT2Config, GPT2Model

    tokenizer = load_lm("embedded").tokenizer
    torch.manual_seed(0)
    made: dict[str, Any] = {
        "decoder": GPT2Model(GPT2Config()),
        "encoder": BertModel(BertConfig(), add_pooling_layer=False),
    }
    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    return {
        kind: TextModel(kind, "random", None, kind, model.to(device, dtype).eval(), tokenizer, "")
        for kind, model in made.items()
    }


@torch.no_grad()
def plain(lm: TextModel, texts: list[str]) -> Tensor:
    """One caption a forward pass."""
    rows = []
    for one in lm.tokenise(texts, _LAST, LONGEST):
        said = lm.model(input_ids=torch.tensor([one.ids], device=lm.device))
        rows.append(said.last_hidden_state[0, -1].float().cpu())
    return torch.stack(rows)


def timed(ways: dict[str, Callable[[], Tensor]]) -> dict[str, tuple[float, Tensor]]:
    """The fastest of three rounds, seconds, and what came out."""
    best: dict[str, tuple[float, Tensor]] = {}
    for _ in range(3):
        for name, way in ways.items():
            started = time.perf_counter()
            found = way()
            seconds = time.perf_counter() - started
            if name not in best or seconds < best[name][0]:
                best[name] = (seconds, found)
    return best


def main() -> None:
    """Both kinds of LM, both ways."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--captions", type=int, default=192)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    texts = captions(asked.captions)
    numbers: dict[str, Any] = {
        "device": asked.device,
        "threads": asked.threads,
        "n_captions": len(texts),
    }
    for kind, lm in models(asked.device).items():
        read = lm.tokenise(texts, _LAST, LONGEST)
        plain(lm, texts[:4])
        lm.encode(texts[:64], _LAST)
        ways = {"plain": partial(plain, lm, texts), "ours": partial(lm.encode, texts, _LAST)}
        found = timed(ways)
        apart = (found["plain"][1] - found["ours"][1]).abs().max() / found["plain"][1].abs().max()
        numbers[kind] = {
            "n_parameters": lm.n_parameters,
            "tokens_a_caption": round(sum(len(one.ids) for one in read) / len(read), 1),
            **{
                f"{name}_captions_per_s": round(len(texts) / s, 1) for name, (s, _) in found.items()
            },
            "speedup": round(found["plain"][0] / found["ours"][0], 2),
            "largest_difference": float(apart),
        }
    report(numbers, ("torch", "transformers"), asked.output)


if __name__ == "__main__":
    main()
