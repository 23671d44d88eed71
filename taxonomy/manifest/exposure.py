"""What training sees of each hypernym."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from taxonomy.manifest.mentions import words_inside
from taxonomy.manifest.s1 import semantics_line
from taxonomy.manifest.strided import Strided
from taxonomy.manifest.strided_build import trained
from taxonomy.model import IMPORTED, SPLITS, Manifest, Taxonomy

DRAWN = ("n_yes", "n_no", "n_yes_held_out", "n_no_held_out")

EXPOSURE = pa.schema(
    [
        pa.field("hypernym_id", pa.int32(), nullable=False),
        pa.field("hypernym", pa.string(), nullable=False),
        # training questions that ask it, by answer
        pa.field("n_yes", pa.int64(), nullable=False),
        pa.field("n_no", pa.int64(), nullable=False),
        # whole-word occurrences of the word in the asked forms of all training questions
        pa.field("n_word", pa.int64(), nullable=False),
        # true and false cells, and the share of them that is held out
        pa.field("n_cells", pa.int64(), nullable=False),
        pa.field("ratio_nominal", pa.float64(), nullable=False),
        pa.field("ratio_cells", pa.float64()),
        # the same over the questions of all splits; an imported manifest lacks those that were
        # taken out of training, so that there the share is NULL unless it is 0 or 1
        pa.field("n_questions", pa.int64(), nullable=False),
        pa.field("ratio_questions", pa.float64()),
        # its test questions of the set are there, but have one answer only
        pa.field("held_out_single_class", pa.bool_(), nullable=False),
        pa.field("seen_single_class", pa.bool_(), nullable=False),
    ]
)


def _counts(table: pa.Table, keys: list[str]) -> Counter[Any]:
    grouped = table.group_by(keys).aggregate([([], "count_all")]).to_pydict()
    columns = [grouped[key] for key in keys]
    return Counter(dict(zip(zip(*columns, strict=True), grouped["count_all"], strict=True)))


def exposure(taxonomy: Taxonomy, manifest: Manifest) -> pa.Table:
    """One row for each hypernym that is asked about, or target of the relation, by its word.

    Returns:
        A table of schema EXPOSURE. A ratio is NULL where its whole is empty.
    """
    concepts = {row["concept_id"]: row for row in taxonomy.concepts.to_pylist()}
    relation = manifest.config.relation
    hypernyms = [c for c in concepts.values() if c["role"] == relation and not c["dropped"]]
    examples, about = manifest.examples, ["asked_id", "kind", "answer"]
    trained = _counts(examples.filter(examples["in_training"]), about)
    asked = _counts(examples, ["asked_id", "kind", "held_out"])
    tested = _counts(examples, ["asked_id", "split", "question_set", "answer"])
    cells = _counts(manifest.cells, ["hypernym_id", "held_out"])
    by_phrase: Counter[str] = Counter()
    for (concept, _, _), n in trained.items():
        by_phrase[concepts[concept]["phrase"]] += n
    n_word = _n_word(hypernyms, by_phrase)
    rows = []
    for concept in sorted(hypernyms, key=lambda row: str(row["name"])):
        key, word = concept["concept_id"], concept["name"]
        n_cells = cells[key, True] + cells[key, False]
        n_held_out = asked[key, "hypernym", True]
        n_questions = n_held_out + asked[key, "hypernym", False]
        known = manifest.config.design != IMPORTED or n_held_out in (0, n_questions)
        single = {
            name: (tested[key, "test", name, True] > 0) != (tested[key, "test", name, False] > 0)
            for name in ("held_out", "seen")
        }
        rows.append(
            {
                "hypernym_id": key,
                "hypernym": word,
                "n_yes": trained[key, "hypernym", True],
                "n_no": trained[key, "hypernym", False],
                "n_word": n_word[word],
                "n_cells": n_cells,
                "ratio_nominal": manifest.config.ratio,
                "ratio_cells": cells[key, True] / n_cells if n_cells else None,
                "n_questions": n_questions,
                "ratio_questions": n_held_out / n_questions if n_questions and known else None,
                "held_out_single_class": single["held_out"],
                "seen_single_class": single["seen"],
            }
        )
    return pa.Table.from_pylist(rows, schema=EXPOSURE)


def _n_word(hypernyms: Iterable[Mapping[str, Any]], by_phrase: Mapping[str, int]) -> Counter[str]:
    """Occurrences of the hypernyms' words in asked forms that are asked so many times each."""
    n_word: Counter[str] = Counter()
    inside = words_inside((str(row["name"]) for row in hypernyms), by_phrase)
    for n, words in zip(by_phrase.values(), inside, strict=True):
        n_word.update({word: n * times for word, times in words.items()})
    return n_word


def strided_exposure(taxonomy: Taxonomy, manifest: Strided) -> pa.Table:
    """The same of a manifest whose questions are derived, from the counts that are kept of them.

    Returns:
        A table of schema EXPOSURE.
    """
    concepts = {row["concept_id"]: row for row in taxonomy.concepts.to_pylist()}
    order = [("hypernym_id", "ascending")]
    hypernyms = manifest.hypernyms.sort_by(order).to_pylist()
    # int64 [splits, 4, H]: yes, no, yes held out, no held out
    drawn = np.array(
        [
            [part[name].to_numpy() for name in DRAWN]
            for split in SPLITS
            for part in [manifest.draws.filter(pc.field("split") == split).sort_by(order)]
        ]
    )
    asks = np.array([row["in_training"] for row in hypernyms], dtype=np.bool_)
    n_yes, n_no = trained(drawn[SPLITS.index("train")], manifest.config.mentions, asks)
    by_phrase: Counter[str] = Counter()
    for row, n in zip(hypernyms, (n_yes + n_no).tolist(), strict=True):
        by_phrase[concepts[row["hypernym_id"]]["phrase"]] += n
    for leaf in manifest.leaves.filter(pc.field("in_training")).to_pylist():
        by_phrase[concepts[leaf["leaf_id"]]["phrase"]] += leaf["n_yes"] + leaf["n_no"]
    n_word = _n_word((concepts[row["hypernym_id"]] for row in hypernyms), by_phrase)
    rows = []
    for at, row in enumerate(hypernyms):
        yes, no, yes_held, no_held = drawn[:, :, at].sum(axis=0).tolist()
        tested = drawn[SPLITS.index("test"), :, at].tolist()
        kept = tested[0] > tested[2], tested[1] > tested[3]
        name = concepts[row["hypernym_id"]]["name"]
        n_questions = yes + no
        rows.append(
            {
                "hypernym_id": row["hypernym_id"],
                "hypernym": name,
                "n_yes": int(n_yes[at]),
                "n_no": int(n_no[at]),
                "n_word": n_word[name],
                "n_cells": row["n_cells"],
                "ratio_nominal": manifest.config.ratio,
                "ratio_cells": row["n_held_out"] / row["n_cells"] if row["n_cells"] else None,
                "n_questions": n_questions,
                "ratio_questions": (yes_held + no_held) / n_questions if n_questions else None,
                "held_out_single_class": (tested[2] > 0) != (tested[3] > 0),
                "seen_single_class": row["taught"] and kept[0] != kept[1],
            }
        )
    rows.sort(key=lambda row: str(row["hypernym"]))
    return pa.Table.from_pylist(rows, schema=EXPOSURE)


def headline(manifest: Manifest | Strided) -> str:
    """Lines about a manifest: what is held out, what is left, what could not be had.

    Three, and a fourth where the settings are those of S1 or the rows were imported.
    """
    config, n = manifest.config, manifest.summary
    cells = (
        f"{config.design} design, shuffle {config.shuffle}: held out "
        f"{n['ratio_realised_cells']:.4f} of {n['n_true_cells'] + n['n_false_cells']} cells and "
    )
    if config.design == IMPORTED:
        test = n["ratio_realised_questions_by_split"]["test"]
        hidden = f"{cells}{test:.4f} of the {config.relation} questions of the test split"
        left = (
            f"training has {n['n_training_questions']} questions; how many were taken out of it "
            "the files do not say, so that the share over all splits is "
            + ("not known" if (share := n["ratio_realised_questions"]) is None else f"{share:.4f}")
        )
    else:
        hidden = f"{cells}{n['ratio_realised_questions']:.4f} of the {config.relation} questions"
        left = (
            f"training keeps {n['n_training_questions']} questions of {n['n_questions']['train']} "
            f"drawn, {n['n_rebalance_added']} of them added by rebalance; "
            f"{n['n_training_leaf_questions_dropped']} leaf questions left it"
        )
    hidden += f" (nominal {config.ratio:.4f})"
    missing = sum(n["n_missing_negatives"].values()) + n["n_rebalance_missing"]
    rest = (
        f"leaves moved {n['n_leaves_moved']}, stayed {n['n_leaves_stayed']}, dropped "
        f"{n['n_leaves_dropped']}; negatives that could not be had {missing}; cells of no "
        f"clear answer {sum(n['n_excluded_cells'].values())}"
    )
    replica = semantics_line(manifest) if isinstance(manifest, Manifest) else None
    said = (hidden, left, rest, replica, n.get("imported_line"))
    return "\n".join(line for line in said if line)
