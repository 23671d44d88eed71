"""Where the list of a dataset and WordNet disagree, hypernym by hypernym.

The list is the source's own: the everyday list of the emoji, THINGSplus' categories, or a table.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

import pyarrow as pa

from taxonomy.errors import DataError
from taxonomy.model import RELATION, Taxonomy

N_EXAMPLES = 3
"""Leaves that a screen shows of those on which the two disagree."""
LISTS = {
    "emoji": "the everyday list",
    "csv": "the user's table",
    "things": "THINGSplus' categories",
}
"""What a source's list is called."""
COLUMNS = ("n_both", "n_list_only", "n_wordnet_only", "n_one_silent")
SCHEMA = pa.schema(
    [
        ("hypernym", pa.string()),
        ("synset", pa.string()),
        *((name, pa.int64()) for name in COLUMNS),
        ("list_only", pa.list_(pa.string())),
        ("wordnet_only", pa.list_(pa.string())),
    ]
)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Agreement of the list with WordNet over the (leaf, hypernym) pairs either holds true."""

    rows: pa.Table
    """A row a hypernym, those with most contradictions first: n_both (leaves that both give
    it), n_list_only and n_wordnet_only (one gives it and the other denies it), n_one_silent
    (one gives it and the other does not speak of it), and the leaves of each contradiction."""
    closing: str
    """One line with the totals."""

    def on_screen(self) -> pa.Table:
        """The rows with the first leaves of each contradiction, and how many more there are."""
        table = self.rows
        for name in ("list_only", "wordnet_only"):
            short = pa.array([_examples(leaves) for leaves in table[name].to_pylist()], pa.string())
            table = table.set_column(table.schema.get_field_index(name), name, short)
        return table


def _kind(strict: bool | None, listed: bool | None) -> str:
    """The column that a pair counts in; at least one of the two is true."""
    if strict is None or listed is None:
        return "n_one_silent"
    if strict and listed:
        return "n_both"
    return "n_wordnet_only" if strict else "n_list_only"


def compare(taxonomy: Taxonomy) -> Comparison:
    """Hold the list of a dataset against WordNet's closure.

    Hypernyms under min_leaves are in it too: the pairs chosen may be why they are.

    Raises:
        DataError: The dataset has one source only, so there is nothing to compare.
    """
    concepts = {row["concept_id"]: row for row in taxonomy.concepts.to_pylist()}
    found: dict[int, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    pairs = [row for row in taxonomy.leaf_hypernym.to_pylist() if row["relation"] == RELATION]
    own = LISTS.get(taxonomy.config.source, "a list of its own")
    for side, name in (("strict", "WordNet"), ("everyday", own)):
        if all(row[side] is None for row in pairs):
            raise DataError(
                f"dataset {taxonomy.dataset_id} (source {taxonomy.config.source}) has no pair "
                f"that {name} speaks of; compare needs both WordNet and the source's list"
            )
    for row in pairs:
        leaf = concepts[row["leaf_id"]]["key"].partition("/")[2]
        found[row["hypernym_id"]][_kind(row["strict"], row["everyday"])].append(leaf)
    rows = []
    for concept_id, row in concepts.items():
        if row["role"] != "hypernym":
            continue
        leaves = found[concept_id]
        counts = {name: len(leaves[name]) for name in COLUMNS}
        rows.append(
            {
                "hypernym": row["name"],
                "synset": row["synset"],
                **counts,
                "list_only": sorted(leaves["n_list_only"]),
                "wordnet_only": sorted(leaves["n_wordnet_only"]),
            }
        )
    rows.sort(key=lambda r: (-r["n_list_only"] - r["n_wordnet_only"], r["hypernym"]))
    return Comparison(
        rows=pa.Table.from_pylist(rows, schema=SCHEMA), closing=_closing(rows, taxonomy, own)
    )


def _examples(leaves: list[str]) -> str:
    more = f" and {len(leaves) - N_EXAMPLES} more" if len(leaves) > N_EXAMPLES else ""
    return ", ".join(leaves[:N_EXAMPLES]) + more


def _closing(rows: list[dict[str, int]], taxonomy: Taxonomy, own: str) -> str:
    total = Counter({name: sum(row[name] for row in rows) for name in COLUMNS})
    n_agreed = sum(not (row["n_list_only"] or row["n_wordnet_only"]) for row in rows)
    return (
        f"dataset {taxonomy.dataset_id}: {sum(total.values())} pairs of {len(rows)} hypernyms; "
        f"{total['n_both']} in both, {total['n_list_only']} in {own} only, "
        f"{total['n_wordnet_only']} in WordNet only, {total['n_one_silent']} where the other is "
        f"silent; no contradiction on {n_agreed} hypernyms"
    )
