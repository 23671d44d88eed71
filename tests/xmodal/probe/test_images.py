"""Ranks of hypernyms for pictures, by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from taxonomy.manifest.world import read_world
from taxonomy.model import Taxonomy
from tests.xmodal import tiny
from xmodal.probe.images import labelled_pictures, rank_scores, ranks


def leaf_of_image(taxonomy: Taxonomy) -> dict[int, int]:
    columns = taxonomy.images.select(["image_id", "concept_id"]).to_pydict().values()
    return dict(zip(*columns, strict=True))


def test_true_hypernyms_are_ranked_among_false_ones(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiny, "LEAVES", {**tiny.LEAVES, "car": "vehicle", "bus": "vehicle"})
        taxonomy = tiny.taxonomy(tmp_path)
    world, manifest = read_world(taxonomy), tiny.manifest(taxonomy, ratio=0.5)
    image, leaf = labelled_pictures(manifest, world.leaves)
    shown = leaf_of_image(taxonomy)
    # two test pictures of each of seven leaves, labels as shown
    assert len(image) == 14
    assert [shown[int(i)] for i in image] == world.leaves.ids[leaf].tolist()
    columns = {word: place for place, word in enumerate(world.hypernyms.words)}
    margin = np.tile(
        [{"bird": 2.0, "tool": 1.0, "vehicle": 2.0}[word] for word in columns], (14, 1)
    )
    found = ranks(margin, image, leaf, world, manifest)
    # bird 2 is behind vehicle 2, which ties; tool 1 is behind both; vehicle is behind bird
    want = {"bird": 2, "tool": 3, "vehicle": 2}
    assert found.num_rows == 14
    for row in found.to_pylist():
        assert row["rank"] == want[row["hypernym"]]
        assert row["n_ranked"] == 3
    held = {
        (row["leaf_id"], row["hypernym_id"]): row["held_out"] for row in manifest.cells.to_pylist()
    }
    ids = dict(zip(world.leaves.words, world.leaves.ids.tolist(), strict=True))
    assert [row["held_out"] for row in found.to_pylist()] == [
        held[ids[row["leaf"]], int(world.hypernyms.ids[columns[row["hypernym"]]])]
        for row in found.to_pylist()
    ]
    scores = {row["cells"]: row for row in rank_scores(found).to_pylist()}
    n_tool = 2 * sum(word == "tool" for word in tiny.LEAVES.values())
    assert scores["all"]["n"] == scores["held_out"]["n"] + scores["kept"]["n"] == 14
    assert scores["all"]["mean_rank"] == pytest.approx(2 + n_tool / 14, abs=1e-12)
    assert scores["all"]["mrr"] == pytest.approx(1 / 2 - n_tool / 14 / 6, abs=1e-12)
    assert scores["all"]["recall_at_1"] == 0
    # of three in random order: (1 + 2 + 3) / 3, (1 + 1/2 + 1/3) / 3, 1/3
    random = [scores["all"][f"{name}_random"] for name in ("mean_rank", "mrr", "recall_at_1")]
    assert random == pytest.approx([2, 11 / 18, 1 / 3], abs=1e-12)


def test_pictures_carry_the_labels_of_the_shuffle(tmp_path: Path) -> None:
    taxonomy = tiny.taxonomy(tmp_path)
    world, manifest = read_world(taxonomy), tiny.manifest(taxonomy, shuffle="within")
    image, leaf = labelled_pictures(manifest, world.leaves)
    shown = leaf_of_image(taxonomy)
    label = dict(
        zip(
            manifest.labels["image_leaf_id"].to_pylist(),
            manifest.labels["label_leaf_id"].to_pylist(),
            strict=True,
        )
    )
    carried = world.leaves.ids[leaf].tolist()
    assert carried == [label[shown[int(i)]] for i in image]
    assert carried != [shown[int(i)] for i in image]
