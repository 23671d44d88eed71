"""Where the right candidate of a query stands by cosine, and the tasks that ask for it.

Cosines are summed in float64 and rounded to float32, so that neither the order of candidates nor
how many are taken at a time moves one, and equal vectors have equal cosines. A wrong candidate
that is as near as the right one stands before it: an aligner that gives one vector to everything
ranks last.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Set
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from taxonomy.errors import DataError
from xmodal.align.items import Items
from xmodal.tables import ANSWER

__all__ = [
    "ANSWER",
    "Items",
    "Ranked",
    "answers",
    "by_class",
    "caption_tasks",
    "rank",
    "zero_shot_tasks",
]

EdgeCount = Callable[[int, int], int | None]
"""Edges between two classes; None where there is no path."""
_COLUMNS = 4096
"""Candidates whose vectors are float64 at once."""
_AT_ONCE = 2**26
"""Cosines held at once, at most, but for a single row: 256 MB, and twice that besides."""


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """What each of N queries found; all on the CPU."""

    rank: Tensor
    """int64 [N]: 1 + wrong candidates whose cosine is at least that of the best right one."""
    n_right: Tensor
    """int64 [N]."""
    first: Tensor
    """int64 [N], the row of the candidate that stands first: a wrong one if one is as near as
    the best right one, and the lowest row among equals."""
    cosine_right: Tensor
    """float32 [N], of the best right one."""
    cosine_first: Tensor
    """float32 [N]."""


@torch.no_grad()
def rank(
    queries: Items, candidates: Items, right: tuple[Tensor, Tensor], *, rows: int = 1024
) -> Ranked:
    """Rank all candidates for every query.

    Args:
        queries: N of them; the work is done on their device.
        candidates: M of them.
        right: Query rows and candidate rows, int64 [R] each: pairs in any order. Every query
            needs one; a pair that is there twice counts once.
        rows: Queries at a time, at most; changes no result.

    Raises:
        DataError: A query without a right candidate, a row that is not there, or other widths.
    """
    n, m = len(queries), len(candidates)
    at, starts = _sorted_pairs(right, n, m)
    if queries.vectors.shape[1] != candidates.vectors.shape[1]:
        raise DataError(
            f"queries and candidates must be of one width, got {queries.vectors.shape[1]} and "
            f"{candidates.vectors.shape[1]}"
        )
    # no float64 on Apple's GPUs
    device = torch.device("cpu") if queries.device.type == "mps" else queries.device
    found: list[tuple[Tensor, ...]] = []
    step = max(1, min(rows, _AT_ONCE // max(1, m)))
    for start in range(0, n, step):
        end = min(start + step, n)
        cosines = _cosines(queries.vectors[start:end].to(device), candidates.vectors)
        query, candidate = at[:, starts[start] : starts[end]].to(device)
        is_right = torch.zeros(cosines.shape, dtype=torch.bool, device=device)
        is_right[query - start, candidate] = True
        best, best_at = cosines.masked_fill(~is_right, -math.inf).max(1)
        wrong = cosines.masked_fill_(is_right, -math.inf)
        n_before = (wrong >= best[:, None]).sum(1)
        nearest, nearest_at = wrong.max(1)
        is_first = n_before == 0
        each = (
            n_before + 1,
            torch.where(is_first, best_at, nearest_at),
            best,
            torch.where(is_first, best, nearest),
        )
        found.append(tuple(one.cpu() for one in each))
    ranks, first, cosine_right, cosine_first = map(torch.cat, zip(*found, strict=True))
    return Ranked(
        rank=ranks,
        n_right=starts.diff(),
        first=first,
        cosine_right=cosine_right,
        cosine_first=cosine_first,
    )


def by_class(queries: Items, candidates: Items) -> tuple[Tensor, Tensor]:
    """Right pairs where any candidate of the query's class is right.

    Returns:
        Query rows and candidate rows, int64 [R] each, on the CPU; none for a query whose class no
        candidate has.

    Raises:
        DataError: One side has no classes.
    """
    if queries.classes is None or candidates.classes is None:
        raise DataError("queries and candidates must have classes, or give the right pairs")
    ordered, order = candidates.classes.cpu().sort(stable=True)
    wanted = queries.classes.cpu().contiguous()
    start = torch.searchsorted(ordered, wanted)
    n_each = torch.searchsorted(ordered, wanted, right=True) - start
    query = torch.arange(len(wanted)).repeat_interleave(n_each)
    place = torch.arange(len(query)) - (n_each.cumsum(0) - n_each).repeat_interleave(n_each)
    return query, order[start[query] + place]


def answers(
    task: str,
    queries: Items,
    candidates: Items,
    right: tuple[Tensor, Tensor] | None = None,
    *,
    unseen: Collection[int] | None,
    edges: EdgeCount | None,
) -> pa.Table:
    """What each query of a task finds.

    Args:
        task: Its name.
        queries: N of them.
        candidates: M of them.
        right: As of rank; None for all candidates of the query's class.
        unseen: The classes that are; None where the question has no sense.
        edges: From the query's class to that of the candidate that stands first.

    Returns:
        Columns of ANSWER, a row a query, in their order.

    Raises:
        DataError: As of rank.
    """
    found = rank(queries, candidates, by_class(queries, candidates) if right is None else right)
    classes = [None] * len(queries) if queries.classes is None else queries.classes.tolist()
    apart: list[int | None] = [None] * len(queries)
    if edges is not None and queries.classes is not None and candidates.classes is not None:
        pairs = list(zip(classes, candidates.classes.cpu()[found.first].tolist(), strict=True))
        known = {pair: 0 if pair[0] == pair[1] else edges(*pair) for pair in set(pairs)}
        apart = [known[pair] for pair in pairs]
    hidden = None if unseen is None else set(unseen)
    is_unseen = [None if hidden is None or c is None else c in hidden for c in classes]
    columns = {
        "task": [task] * len(queries),
        "query_id": queries.ids.tolist(),
        "class_id": classes,
        "unseen": is_unseen,
        "rank": found.rank.numpy(),
        "n_right": found.n_right.numpy(),
        "n_candidates": [len(candidates)] * len(queries),
        "first_id": candidates.ids.cpu()[found.first].numpy(),
        "edges": apart,
        "cosine_right": found.cosine_right.numpy(),
        "cosine_first": found.cosine_first.numpy(),
    }
    return pa.table(columns, schema=ANSWER)


def zero_shot_tasks(
    pictures: Items,
    classes: Items,
    unseen: Set[int],
    trained: Set[int],
    edges: EdgeCount | None,
) -> pa.Table:
    """Answers of all tasks that a dataset's pictures allow.

    A class is seen if it was trained and is not unseen, whatever else training saw. Tasks:
    zero-shot, pictures of unseen classes among unseen classes; seen, pictures of seen classes
    among seen classes; generalised, both kinds among both, where both are there; text-to-image,
    each unseen class that has a picture among the pictures of unseen classes, or, with no unseen
    class, the same of seen ones. A task without queries is left out.

    Args:
        pictures: With their classes.
        classes: What pictures are told apart by; ids and classes are the same numbers. Pictures
            of other classes are in no task.
        unseen: The unseen classes of the separation; empty without one.
        trained: The classes whose pictures or names training saw.
        edges: From a class to another; None for no such column.

    Returns:
        Columns of ANSWER.

    Raises:
        DataError: No picture is of any such class, or a class has two vectors.
    """
    if pictures.classes is None or classes.classes is None:
        raise DataError("pictures and classes must both have classes")
    if not torch.equal(classes.ids.cpu(), classes.classes.cpu()):
        raise DataError("ids of classes must be their classes, one vector a class")
    is_unseen = {"picture": _in(pictures.classes, unseen), "class": _in(classes.ids, unseen)}
    seen = set(trained) - set(unseen)
    is_seen = {"picture": _in(pictures.classes, seen), "class": _in(classes.ids, seen)}
    known = _in(pictures.classes, classes.ids.tolist())
    groups = {"zero-shot": is_unseen, "seen": is_seen}
    if is_unseen["class"].any() and is_seen["class"].any():
        groups["generalised"] = {name: is_unseen[name] | is_seen[name] for name in is_unseen}
    found = []
    for task, chosen in groups.items():
        if (query := chosen["picture"] & known).any():
            among = classes.take(chosen["class"])
            found.append(answers(task, pictures.take(query), among, unseen=unseen, edges=edges))
    asked = is_unseen if unseen else is_seen
    if (shown := asked["picture"] & known).any():
        among = pictures.take(shown)
        assert among.classes is not None
        names = classes.take(asked["class"] & _in(classes.ids, among.classes.tolist()))
        found.append(answers("text-to-image", names, among, unseen=unseen, edges=edges))
    if not found:
        raise DataError(
            f"none of {len(pictures)} pictures is of an unseen or a trained class: evaluate on "
            "the dataset that was trained on, or on classes that its separation names"
        )
    return pa.concat_tables(found)


def caption_tasks(texts: Items, pictures: Items, pairs: tuple[Tensor, Tensor]) -> pa.Table:
    """Answers of retrieval both ways: text-to-image, then image-to-text.

    Args:
        texts: N of them.
        pictures: M of them.
        pairs: Text rows and picture rows, int64 [P] each: what goes together. All that goes with
            a query is right.

    Returns:
        Columns of ANSWER.

    Raises:
        DataError: A text or a picture is in no pair.
    """
    text, picture = pairs
    return pa.concat_tables(
        [
            answers("text-to-image", texts, pictures, (text, picture), unseen=None, edges=None),
            answers("image-to-text", pictures, texts, (picture, text), unseen=None, edges=None),
        ]
    )


def _sorted_pairs(right: tuple[Tensor, Tensor], n: int, m: int) -> tuple[Tensor, Tensor]:
    """Pairs in the order of queries, int64 [2, R], and where each query's begin, int64 [N + 1]."""
    query, candidate = (rows.cpu() for rows in right)
    if not n:
        raise DataError("a task needs at least one query, got none")
    if query.shape != candidate.shape or query.ndim != 1:
        raise DataError(
            f"right must be two int64 [R], got {list(query.shape)} and {list(candidate.shape)}"
        )
    for name, rows, size in (("query", query, n), ("candidate", candidate, m)):
        if len(rows) and not 0 <= int(rows.min()) <= int(rows.max()) < size:
            raise DataError(
                f"{name} rows must be in [0, {size}), got {int(rows.min())} to {int(rows.max())}"
            )
    # equal pairs become one
    both = torch.from_numpy(np.unique((query * m + candidate).numpy()))
    at = torch.stack([both // max(1, m), both % max(1, m)])
    starts = torch.searchsorted(at[0].contiguous(), torch.arange(n + 1))
    if not starts.diff().all():
        lacking = int((starts.diff() == 0).sum())
        row = int((starts.diff() == 0).nonzero()[0])
        raise DataError(
            f"{lacking} of {n} queries have no right candidate, the first in row {row}: leave "
            "them out"
        )
    return at, starts


def _cosines(queries: Tensor, candidates: Tensor) -> Tensor:
    """float32 [R, M]."""
    found = torch.empty(len(queries), len(candidates), device=queries.device)
    query = queries.double()
    for start in range(0, len(candidates), _COLUMNS):
        part = candidates[start : start + _COLUMNS].to(queries.device).double()
        found[:, start : start + _COLUMNS] = query @ part.T
    return found


def _in(ids: Tensor, chosen: Set[int] | list[int]) -> Tensor:
    """bool [N] on the CPU: which ids are among the chosen."""
    return torch.isin(ids.cpu(), torch.tensor(sorted(chosen), dtype=torch.int64))
