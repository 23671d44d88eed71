"""Whether leaves that look alike to an encoder are alike to an LM, before any training.

The picture side of a leaf is the mean of the unit vectors of its training pictures, labels as
the shuffle has them: a leaf under across has the pictures of another. The LM's side is the
hidden state at the last token of "a picture of a parrot": in a decoder only the last token has
read the whole name, and without words before it a name of one token would stand first, where
LMs keep a state of their own. Both sides are scaled to length one.

mutual_knn (Huh et al., 2024) is the mean share of a leaf's k nearest leaves that both sides have
in common, neighbours by cosine among all leaves; for a hypernym the mean is over its leaves. It
is k / (n - 1) for unrelated sides of n leaves. cka is linear centred kernel alignment (Kornblith
et al., 2019) with the unbiased estimate of Song et al. (2012): the plain one nears 1 for any two
sides with fewer leaves than channels. It is in [-1, 1], and 0 on average for unrelated sides. For
a hypernym it compares its own leaves. It is the cosine of two centred kernels without diagonals,
n (n - 3) / 2 free numbers each: none below LEAST_CKA leaves. One over their root is the standard
deviation of unrelated sides, 0.33 for six leaves and 0.14 for twelve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from taxonomy.errors import ConfigError, DataError
from taxonomy.hashing import content_id
from taxonomy.manifest.draws import Bools, Floats, Ints
from taxonomy.model import Taxonomy
from xmodal.features.coherence import LeafSums, training_sums
from xmodal.features.extract import FeatureSet, one_thread
from xmodal.features.stored import choose_shuffles, load_stored
from xmodal.features.truth import Shuffle, Truth, label_rows, read_truth
from xmodal.lms.causal import LanguageModel
from xmodal.probe.command import Probed
from xmodal.probe.config import AlignmentConfig, LmChoice, ProbeConfig
from xmodal.store import Store
from xmodal.store.findings import ALIGNMENT, replace_alignment

VERSION = 1
FRAME = "a picture of {phrase}"
LEAST_CKA = 4
"""Leaves that the unbiased estimate needs."""
_AT_A_TIME = 1024
SHOWN = [
    *("relation", "shuffle", "lm", "lm_init", "layer", "n_leaves", "k"),
    *("mutual_knn", "mutual_knn_chance", "cka"),
]
"""Columns of the summary."""


def unit_rows(x: Floats) -> Floats:
    """Rows scaled to length one; a row of zeros stays."""
    norm = np.sqrt((x * x).sum(axis=1, keepdims=True))
    scaled: Floats = np.divide(x, norm, out=np.zeros_like(x), where=norm > 0)
    return scaled


def nearest_leaves(x: Floats, k: int) -> Ints:
    """The k nearest other rows by cosine; of equals the earlier row.

    Args:
        x: float64 [n, D], n > k.
        k: How many.

    Returns:
        int64 [n, k].
    """
    unit = torch.from_numpy(unit_rows(x))
    found = []
    with one_thread():
        for part in torch.split(torch.arange(len(unit)), _AT_A_TIME):
            near = unit[part] @ unit.T
            near[torch.arange(len(part)), part] = -torch.inf
            order = near.sort(dim=1, descending=True, stable=True).indices
            found.append(order[:, :k].clone())
    nearest: Ints = torch.cat(found).numpy()
    return nearest


def shared_neighbours(x: Floats, y: Floats, k: int) -> Floats:
    """Share of each row's k nearest rows that two sides have in common.

    Args:
        x: float64 [n, Dx].
        y: float64 [n, Dy], the same things in the same order.
        k: Nearest rows, fewer than n.

    Returns:
        float64 [n] in [0, 1]; its mean is the mutual k-nearest-neighbour alignment.
    """
    a, b = nearest_leaves(x, k), nearest_leaves(y, k)
    both: Floats = (a[:, :, None] == b[:, None, :]).sum(axis=(1, 2)) / k
    return both


def _hsic(x: Floats, y: Floats) -> float:
    """Unbiased HSIC of two centred sides under linear kernels, but for its constant.

    With K and L the kernels without their diagonals:
    tr(K L) + sum(K) sum(L) / ((n - 1) (n - 2)) - 2 / (n - 2) sum(K 1 * L 1), without an n x n
    matrix.
    """
    n = len(x)
    own_x, own_y = (x * x).sum(axis=1), (y * y).sum(axis=1)
    with one_thread():
        cross = (torch.from_numpy(x).T @ torch.from_numpy(y)).numpy()
        rows_x = (torch.from_numpy(x) @ torch.from_numpy(x.sum(axis=0))).numpy() - own_x
        rows_y = (torch.from_numpy(y) @ torch.from_numpy(y.sum(axis=0))).numpy() - own_y
    trace = float((cross * cross).sum() - (own_x * own_y).sum())
    sums = float(rows_x.sum()) * float(rows_y.sum()) / ((n - 1) * (n - 2))
    return trace + sums - 2 * float((rows_x * rows_y).sum()) / (n - 2)


def cka(x: Floats, y: Floats) -> float | None:
    """Debiased linear CKA of two sides, rows scaled to length one.

    Args:
        x: float64 [n, Dx].
        y: float64 [n, Dy], the same things in the same order.

    Returns:
        In [-1, 1]; None with fewer than LEAST_CKA rows, or where all rows of a side are alike.
    """
    if len(x) < LEAST_CKA:
        return None
    # the estimate does not change with the mean, but its last digits would
    x, y = (unit - unit.mean(axis=0) for unit in (unit_rows(x), unit_rows(y)))
    spread = _hsic(x, x), _hsic(y, y)
    if min(spread) <= 1e-20:
        return None
    return _hsic(x, y) / float(np.sqrt(spread[0]) * np.sqrt(spread[1]))


@torch.no_grad()
def concept_states(lm: LanguageModel, phrases: Sequence[str], layer: int) -> tuple[Floats, int]:
    """An LM's hidden state at the last token of each phrase, in FRAME.

    Texts of one length go together: nothing is padded.

    Args:
        lm: The frozen LM.
        phrases: n of them, such as "a parrot".
        layer: Of the hidden states, from the token embeddings on; negative from the end.

    Returns:
        float64 [n, Dl], and in how many texts there is a word that the LM does not know.

    Raises:
        ConfigError: The LM has no such layer.
    """
    depth = hidden_layer(lm, layer)
    texts = [lm.start_ids + lm.token_ids(FRAME.format(phrase=phrase)) for phrase in phrases]
    states = np.zeros((len(texts), lm.width))
    by_length: dict[int, list[int]] = {}
    for row, text in enumerate(texts):
        by_length.setdefault(len(text), []).append(row)
    for rows in by_length.values():
        for start in range(0, len(rows), 64):
            chosen = rows[start : start + 64]
            ids = torch.tensor([texts[row] for row in chosen], device=lm.device)
            said = lm.model.base_model(input_ids=ids, output_hidden_states=True, use_cache=False)
            states[chosen] = said.hidden_states[depth][:, -1].double().cpu().numpy()
    unknown_id = lm.tokenizer.unk_token_id
    return states, sum(unknown_id in text for text in texts)


def hidden_layer(lm: LanguageModel, layer: int) -> int:
    """A layer counted from the token embeddings, 0.

    Raises:
        ConfigError: The LM has no such layer.
    """
    last = int(lm.model.config.get_text_config().num_hidden_layers)
    if not -last - 1 <= layer <= last:
        raise ConfigError(
            f"layer must be from {-last - 1} to {last} for lm {lm.name!r}, got {layer}"
        )
    return layer % (last + 1)


def picture_side(sums: LeafSums, labels: Ints) -> tuple[Ints, Floats]:
    """Mean unit vectors of the pictures that carry each leaf's labels.

    Args:
        sums: By leaf shown, L leaves.
        labels: int64 [L], label leaf of each; -1 for a leaf in no question.

    Returns:
        int64 [n], the label leaves whose pictures have a mean direction, ascending; and
        float64 [n, Dv].
    """
    total, counts = np.zeros_like(sums.total), np.zeros_like(sums.n_images)
    kept = labels >= 0
    np.add.at(total, labels[kept], sums.total[kept])
    np.add.at(counts, labels[kept], sums.n_images[kept])
    rows = np.flatnonzero((counts > 0) & total.any(axis=1))
    return rows, total[rows] / counts[rows, None]


def alignment_rows(
    picture: Floats, concept: Floats, under: Bools, names: Sequence[str], k: int
) -> list[dict[str, Any]]:
    """Both measures over all leaves and for each hypernym.

    Args:
        picture: float64 [n, Dv].
        concept: float64 [n, Dl].
        under: bool [n, H], which leaves each hypernym is true of.
        names: The H hypernyms.
        k: Nearest leaves.

    Raises:
        ConfigError: There are fewer than k + 2 leaves.
    """
    n = len(picture)
    if n < k + 2:
        raise ConfigError(f"k must be at most {max(0, n - 2)} with {n} leaves, got {k}")
    shared = shared_neighbours(picture, concept, k)
    rows = []
    for column, name in ((None, None), *enumerate(names)):
        of = np.flatnonzero(np.ones(n, np.bool_) if column is None else under[:, column])
        rows.append(
            {
                "hypernym": name,
                "n_leaves": len(of),
                "k": k,
                "mutual_knn": float(shared[of].mean()) if len(of) else None,
                "mutual_knn_chance": k / (n - 1),
                "cka": cka(picture[of], concept[of]),
            }
        )
    return rows


@dataclass(frozen=True)
class Sides:
    """What an alignment is measured between."""

    taxonomy: Taxonomy
    features: FeatureSet
    lm: LanguageModel
    layer: int
    """From 0."""
    sums: LeafSums
    concept: Floats
    """float64 [L, Dl], in the order of Truth.leaf_ids."""

    def table(self, shuffle: Shuffle, truth: Truth, k: int) -> pa.Table:
        """ALIGNMENT rows under one shuffle."""
        leaves, picture = picture_side(self.sums, label_rows(truth, shuffle.labels))
        found = alignment_rows(picture, self.concept[leaves], truth.used[leaves], truth.names, k)
        said = {
            "finding": "alignment",
            "version": VERSION,
            "features": self.features.feature_set_id,
            "lm": self.lm.sha256,
            "frame": FRAME,
            "layer": self.layer,
            "k": k,
            **shuffle.identity,
        }
        about = {
            "alignment_id": content_id({"dataset": self.taxonomy.dataset_id, **said}),
            "dataset": self.taxonomy.dataset_id,
            "feature_set_id": self.features.feature_set_id,
            "encoder": self.features.config.encoder,
            "relation": shuffle.relation,
            "lm": self.lm.name,
            "lm_hash": self.lm.sha256,
            "lm_init": self.lm.init,
            "layer": self.layer,
            "shuffle": shuffle.kind,
            "shuffle_id": shuffle.shuffle_id,
        }
        return pa.Table.from_pylist([about | row for row in found], schema=ALIGNMENT)


def _without_cka(rows: pa.Table) -> list[str]:
    """What to say of the hypernyms without an estimate, under one shuffle."""
    of = rows.filter(pc.is_valid(rows["hypernym"]))
    names = of.filter(pc.is_null(of["cka"]))["hypernym"].to_pylist()
    said = (
        f"shuffle {rows['shuffle'][0]}: {len(names)} of {of.num_rows} hypernyms have no cka, as "
        f"fewer than {LEAST_CKA} of their leaves have pictures, or all are alike; @alignment "
        f"leaves them out: {', '.join(names)}"
    )
    return [said] if names else []


def _check_asks_nothing(config: ProbeConfig) -> None:
    if config != ProbeConfig(relation=config.relation, seed=config.seed):
        raise ConfigError(
            "--alignment asks nothing: leave out --task, --phrasing, --chat-template, "
            "--choice-score and --batch-size"
        )


def _phrases(taxonomy: Taxonomy, truth: Truth) -> list[str]:
    """The asked form of each leaf, in the order of truth."""
    table = taxonomy.concepts.select(["concept_id", "phrase"]).to_pydict()
    phrases = dict(zip(*table.values(), strict=True))
    return [phrases[int(leaf)] for leaf in truth.leaf_ids]


def run_alignment(
    store: Path,
    aligned: AlignmentConfig,
    config: ProbeConfig,
    lm: LmChoice,
    *,
    dataset: str | None = None,
) -> Probed:
    """Compare a dataset's pictures with an LM under some shuffles and store the result.

    Args:
        store: The DuckDB file; open only to read what is needed and to write the result.
        aligned: How, with which features and under which shuffles.
        config: Relation and seed of drawn shuffles, the seed also of random weights; the rest
            is about the text-only tasks and at its default.
        lm: The LM.
        dataset: Id of a dataset or its beginning; that of the features, or the latest, if None.

    Returns:
        The values over all leaves, one row a shuffle, and all rows.

    Raises:
        StoreError: Something is not in the store, or the choice is not clear.
        ConfigError: A setting that is outside its values or does not go with another.
        DataError: The LM or the features cannot be used.
    """
    _check_asks_nothing(config)
    with Store.open(store, read_only=True) as opened:
        taxonomy, features = load_stored(opened, aligned.features, dataset)
        shuffles = choose_shuffles(
            opened,
            taxonomy,
            manifests=aligned.manifests,
            kinds=aligned.shuffles,
            seed=config.seed,
            relation=config.relation,
        )
    truths = {one.relation: read_truth(taxonomy, one.relation) for one in shuffles}
    # the leaves are the same for every relation
    truth = next(iter(truths.values()))
    sums = training_sums(taxonomy, features, truth)
    loaded = lm.load(config.seed)
    words = _phrases(taxonomy, truth)
    states, n_unknown = concept_states(loaded, words, aligned.layer)
    if not np.isfinite(states).all():
        raise DataError(f"lm {loaded.name!r} has hidden states that are not finite numbers")
    layer = hidden_layer(loaded, aligned.layer)
    sides = Sides(taxonomy, features, loaded, layer, sums, states)
    tables = [sides.table(one, truths[one.relation], aligned.k) for one in shuffles]
    with Store.open(store) as opened:
        for table in tables:
            replace_alignment(opened, table["alignment_id"][0].as_py(), table)
    notes = [f"{sums.n_zero} pictures without a direction left out"] if sums.n_zero else []
    if n_unknown:
        notes.append(
            f"lm {loaded.name!r} does not know a word in {n_unknown} of {len(words)} leaves"
        )
    notes += [note for table in tables for note in _without_cka(table)]
    rows = pa.concat_tables(tables)
    return Probed(rows.filter(pc.is_null(rows["hypernym"])).select(SHOWN), rows, tuple(notes))
