"""Nearest neighbour across style families: which leaf does the most alike picture show?

python -m benchmarks.encoder_knn [--splits validation,test] [--output benchmarks/results/...json]

Protocol. A query is a picture of the split. Its gallery is every training picture whose style
family is another one (noto, fluent, ... have several styles each; a family never crosses the
splits of one leaf). Pictures of inner nodes are in neither. A picture is the vector of all its
tokens, first view; the nearest has the largest cosine, of equals the first in the order of
image_id. The answer is right if it shows the same leaf; `accuracy` is the share of right answers
over queries. A leaf whose training pictures are all of the query's family could not be found and
would count as wrong; there are none, since families do not cross splits.

Features. `pca`: as `xmodal features extract` pools, 256 components fitted on the training
pictures. `patches`: the tokens as they are. `classical-mirrored` and `learnt` are the two parts
of embedded-ssl by themselves, `untrained` is embedded-ssl with the weights the training starts
from. `wins` and `losses` count the queries that only this one, or only classical pca, answers;
`gain_95` is the 95 % interval of the difference, leaves resampled 2,000 times.

The recipe was chosen on training and validation pictures; test is measured when it is fixed.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.result import report
from taxonomy.model import TaxonomyConfig
from xmodal.bundle.encoder.load import EmbeddedEncoder, load_encoder
from xmodal.bundle.encoder.net import Net, NetConfig
from xmodal.bundle.encoder.package import training_pictures
from xmodal.bundle.encoder.train import learnt_scale
from xmodal.bundle.pictures import load_pictures
from xmodal.features import classical
from xmodal.features.config import FeatureConfig
from xmodal.features.pca import Pca
from xmodal.features.pictures import read_pixels
from xmodal.taxonomies import build_taxonomy

N_DRAWS = 2000
N_CLASSICAL = 2 * 4 * classical.WIDTH
"""Channels of an embedded token that are classical."""


def untrained(encoder: EmbeddedEncoder) -> EmbeddedEncoder:
    """The encoder before its training, its channels scaled as after."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = Net(NetConfig()).eval()
    _, pixels = training_pictures(load_pictures())
    return replace(encoder, net=net, scale=torch.tensor(learnt_scale(net, pixels, 0.7)))


def feature_sets(
    encoder: EmbeddedEncoder, encode_all: Callable[[Callable[[Tensor], Tensor]], Tensor], n: int
) -> Iterator[tuple[str, Tensor]]:
    """Name and float32 [N, D], the first n of N being the training pictures."""

    def pca(tokens: Tensor) -> Tensor:
        return Pca.fit(tokens[:n], FeatureConfig())(tokens)[:, 0]

    tokens = encode_all(classical.encode)
    yield "classical pca", pca(tokens)
    yield "classical patches", tokens.flatten(1)
    tokens = encode_all(encoder.encode)
    yield "embedded-ssl pca", pca(tokens)
    yield "embedded-ssl patches", tokens.flatten(1)
    yield "classical-mirrored pca", pca(tokens[..., :N_CLASSICAL])
    yield "learnt pca", pca(tokens[..., N_CLASSICAL:])
    yield "untrained pca", pca(encode_all(untrained(encoder).encode))


def right_answers(
    features: Tensor, leaf: np.ndarray[Any, Any], family: np.ndarray[Any, Any], n: int
) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Whether the nearest neighbour shows the leaf, for every row after the first n.

    Args:
        features: float32 [N, D]; the first n rows are the gallery.
        leaf: [N], which leaf.
        family: [N], which style family.
        n: Size of the gallery.
    """
    points = F.normalize(features, dim=1)
    alike = points[n:] @ points[:n].T
    alike[torch.from_numpy(family[n:, None] == family[None, :n])] = -2.0
    right: np.ndarray[Any, np.dtype[np.bool_]] = leaf[alike.argmax(1).numpy()] == leaf[n:]
    return right


def interval(gain: np.ndarray[Any, Any], leaf: np.ndarray[Any, Any]) -> list[float]:
    """95 % of the mean gain, leaves resampled."""
    group = np.unique(leaf, return_inverse=True)[1]
    total, count = np.bincount(group, gain), np.bincount(group)
    drawn = np.random.default_rng(0).integers(len(count), size=(N_DRAWS, len(count)))
    means = total[drawn].sum(1) / count[drawn].sum(1)
    return [round(float(x), 4) for x in np.quantile(means, (0.025, 0.975))]


def main() -> None:
    """Encode once, then ask each split."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--splits", default="validation,test")
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    images = build_taxonomy(TaxonomyConfig()).images
    split = np.array(images["split"].to_pylist(), dtype=object)
    parts = [np.flatnonzero(split == name) for name in ("train", *asked.splits.split(","))]
    rows, n = np.concatenate(parts), len(parts[0])
    chosen = images.take(rows)
    leaf = chosen["concept_id"].to_numpy()
    family = np.unique(chosen["family"].to_pylist(), return_inverse=True)[1]
    uris, hashes = chosen["uri"].to_pylist(), chosen["sha256"].to_pylist()

    def encode_all(encode: Callable[[Tensor], Tensor]) -> Tensor:
        return torch.cat([encode(b) for b in read_pixels(uris, hashes, classical.SIDE)])

    encoder = load_encoder()
    numbers: dict[str, Any] = {"encoder_version": encoder.version, "n_gallery": n}
    first: np.ndarray[Any, Any] | None = None
    for name, features in feature_sets(encoder, encode_all, n):
        right = right_answers(features, leaf, family, n)
        first = right if first is None else first
        for of in asked.splits.split(","):
            at = split[rows[n:]] == of
            gain = right[at].astype(float) - first[at]
            found = {
                "accuracy": round(float(right[at].mean()), 4),
                "n_queries": int(at.sum()),
                "wins": int((gain > 0).sum()),
                "losses": int((gain < 0).sum()),
                "gain_95": interval(gain, leaf[n:][at]),
            }
            numbers.setdefault(of, {})[name] = found
            print(of, name, found, flush=True)
    report(numbers, ("torch", "numpy"), asked.output)


if __name__ == "__main__":
    main()
