"""Who is unseen: whole branches of the hypernym graph, drawn once for all levels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from taxonomy.errors import ManifestError
from taxonomy.hashing import keyed_order
from taxonomy.separation.classes import Classes


def members(classes: Classes) -> Mapping[str, frozenset[int]]:
    """Rows of the classes at or below each node that has any."""
    found: dict[str, set[int]] = defaultdict(set)
    for node, rows in classes.at.items():
        for above in classes.nouns.closure([node], down=False):
            found[above].update(rows)
    return {node: frozenset(rows) for node, rows in found.items()}


def draw_unseen(
    classes: Classes, n_unseen: int, max_branch: int, seed: int
) -> tuple[list[int], list[str]]:
    """Draw whole branches until n_unseen classes are in them.

    Nodes with 2 to max_branch classes below come in hash order, and one that would make too
    many is passed over; what is then missing is filled from branches of one class.

    Args:
        classes: The dataset.
        n_unseen: How many classes, exactly.
        max_branch: Largest number of classes of one branch.
        seed: Of the order.

    Returns:
        Rows of the unseen classes, ascending, and the roots in the order taken. Everything at
        or below a root is unseen.

    Raises:
        ManifestError: No such branches make up n_unseen classes.
    """
    below = members(classes)
    unseen: set[int] = set()
    roots: list[str] = []
    for several in (True, False):
        nodes = (n for n, rows in below.items() if (len(rows) > 1) == several)
        fitting = [node for node in nodes if len(below[node]) <= max_branch]
        for node in keyed_order(fitting, seed, "unseen"):
            more = below[node] - unseen
            if more and len(unseen) + len(more) <= n_unseen:
                unseen |= more
                roots.append(node)
    if len(unseen) < n_unseen:
        n_placed = len(classes) - classes.n_unplaced
        raise ManifestError(
            f"n_unseen must be a number that whole branches of at most {max_branch} classes make "
            f"up, got {n_unseen}: they reach {len(unseen)} of the {n_placed} classes with a place "
            f"in WordNet; ask for {len(unseen)}"
            if unseen
            else f"none of the {len(classes)} classes is in a branch of at most {max_branch} "
            "classes; give classes synsets, or raise max_branch"
        )
    return sorted(unseen), _outermost(roots, below)


def _outermost(roots: Iterable[str], below: Mapping[str, frozenset[int]]) -> list[str]:
    """Roots whose classes are not all those of another root, the first of equal ones."""
    kept: list[str] = []
    for root in sorted(roots, key=lambda r: -len(below[r])):  # stable: hash order among equals
        if not any(below[root] <= below[other] for other in kept):
            kept.append(root)
    return [root for root in roots if root in kept]
