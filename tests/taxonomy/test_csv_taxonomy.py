"""A user's own table: what it may say."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import networkx as nx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from taxonomy.graph import taxonomy_graph
from taxonomy.model import Taxonomy, TaxonomyConfig
from taxonomy.sources.csv_source import read_csv
from taxonomy.stats import stats, summary
from taxonomy.wordnet import WordNet
from tests.taxonomy.csv_tables import CONFIG, HYPERNYMS_ONLY, build, rows, write
from xmodal.bundle.wordnet_files import wordnet_dir
from xmodal.taxonomies import build_taxonomy


def pairs(taxonomy: Taxonomy) -> dict[tuple[str, str], tuple[bool | None, bool | None, bool]]:
    name = taxonomy.concepts["name"].to_pylist()
    return {
        (name[r["leaf_id"]], name[r["hypernym_id"]]): (r["strict"], r["everyday"], r["used"])
        for r in taxonomy.leaf_hypernym.to_pylist()
    }


def role(taxonomy: Taxonomy) -> dict[str, str]:
    return {
        row["key"]: row["role"] for row in taxonomy.concepts.to_pylist() if row["role"] != "synset"
    }


def test_hypernyms_alone(folder: Path) -> None:
    taxonomy = build(folder, HYPERNYMS_ONLY)
    assert pairs(taxonomy) == {
        ("owl", "bird"): (None, True, True),
        ("parrot", "bird"): (None, True, True),
        ("parrot", "pet"): (None, True, True),
        ("poodle", "pet"): (None, True, True),
    }
    assert set(taxonomy.edges["source"].to_pylist()) == {"csv"}
    assert taxonomy.images["split"].to_pylist().count("test") == 3


def test_synsets_alone_find_hypernyms_one_for_each_set_of_leaves(folder: Path) -> None:
    lines = rows(
        ("parrot", "parrot.n.01"), ("owl", "owl.n.01"), ("poodle", "poodle.n.01"),
        ("beagle", "beagle.n.01"), ("car", "car.n.01"),
    )  # fmt: skip
    taxonomy = build(folder, ["leaf,image,synset", *lines])
    found = stats(taxonomy).leaves_of
    assert found == {"vertebrate": 4, "bird": 2, "dog": 2}
    assert pairs(taxonomy)["owl", "bird"] == (True, None, True)
    assert role(taxonomy)["leaf/car"] == "leaf"


def test_list_and_wordnet_must_agree(folder: Path) -> None:
    lines = rows(
        ("parrot", "parrot.n.01,bird|pet"), ("owl", "owl.n.01,bird"),
        ("poodle", "poodle.n.01,pet"), ("beagle", "beagle.n.01,bird"), ("car", "car.n.01,"),
    )  # fmt: skip
    taxonomy = build(folder, ["leaf,image,synset,hypernym", *lines])
    got = pairs(taxonomy)
    assert got["parrot", "bird"] == (True, True, True)
    assert got["beagle", "bird"] == (False, True, False)
    assert got["parrot", "pet"] == (None, True, True), "no sense of pet is above a parrot"
    synset = {row["key"]: row["synset"] for row in taxonomy.concepts.to_pylist()}
    assert synset["hypernym/bird"] == "bird.n.01"
    assert synset["hypernym/pet"] is None


def test_a_word_takes_the_sense_that_is_above_its_leaves(folder: Path) -> None:
    lines = rows(("parrot", "pancake.n.01,cake"), ("owl", "waffle.n.01,cake"))
    taxonomy = build(folder, ["leaf,image,synset,hypernym", *lines])
    synset = {row["key"]: row["synset"] for row in taxonomy.concepts.to_pylist()}
    assert synset["hypernym/cake"] == "cake.n.03"
    assert pairs(taxonomy)["owl", "cake"] == (True, True, True)


def test_a_leaf_above_others_is_inner(folder: Path) -> None:
    lines = ["leaf,image,hypernym", *rows(("dog", "animal"), ("poodle", "dog"), ("beagle", "dog"))]
    taxonomy = build(folder, lines)
    assert role(taxonomy)["inner/dog"] == "inner"
    assert pairs(taxonomy)["poodle", "animal"] == (None, True, True)
    graph = taxonomy_graph(taxonomy)
    assert graph.has_edge("hypernym/dog", "hypernym/animal")
    assert graph.has_edge("inner/dog", "hypernym/dog")
    inner = [i for i in taxonomy.images.to_pylist() if i["split"] is None]
    assert len(inner) == 5


def test_an_inner_node_may_share_its_word_with_a_hypernym_found(folder: Path) -> None:
    lines = rows(
        ("dog", "dog.n.01"), ("poodle", "poodle.n.01"), ("beagle", "beagle.n.01"),
        ("owl", "owl.n.01"),
    )  # fmt: skip
    taxonomy = build(folder, ["leaf,image,synset", *lines])
    assert role(taxonomy) == {
        "hypernym/dog": "hypernym", "inner/dog": "inner", "leaf/poodle": "leaf",
        "leaf/beagle": "leaf", "leaf/owl": "leaf",
    }  # fmt: skip
    assert taxonomy_graph(taxonomy).has_edge("inner/dog", "hypernym/dog")


def test_a_leaf_above_others_by_synset_is_inner(folder: Path) -> None:
    lines = rows(
        ("dog", "dog.n.01,pet"), ("poodle", "poodle.n.01,pet"), ("beagle", "beagle.n.01,pet")
    )
    assert "inner/dog" in role(build(folder, ["leaf,image,synset,hypernym", *lines]))


def test_rows_without_an_image_and_edges_add_hypernyms(folder: Path) -> None:
    lines = ["leaf,image,hypernym", *rows(("parrot", "bird"), ("owl", "bird")), "owl,,hunter"]
    edges = write(folder, ["hyponym,hypernym", "bird,animal", "stone,thing"], "e.csv")
    taxonomy = build_taxonomy(CONFIG, csv=write(folder, lines), edges=edges)
    assert pairs(taxonomy)["owl", "animal"] == (None, True, True)
    assert pairs(taxonomy)["owl", "hunter"] == (None, True, False), "one leaf: dropped"
    assert "hypernym/thing" not in role(taxonomy), "above no leaf"


def test_names_are_compared_in_lower_case_and_a_mark_at_the_start_is_skipped(folder: Path) -> None:
    lines = ["\ufeffLeaf,Image,Hypernym"]
    lines += ["Parrot,parrot0.png,Bird", " parrot ,parrot1.png,BIRD", *rows(("owl", "bird"))]
    assert role(build(folder, lines)) == {
        "leaf/parrot": "leaf", "leaf/owl": "leaf", "hypernym/bird": "hypernym"
    }  # fmt: skip


def test_other_columns_are_named(folder: Path) -> None:
    lines = [line + (",x" if i else ",notes") for i, line in enumerate(HYPERNYMS_ONLY)]
    assert "columns not used: notes" in summary(build(folder, lines))


def test_identity_does_not_depend_on_place_or_row_order(folder: Path, tmp_path: Path) -> None:
    first = build(folder, HYPERNYMS_ONLY)
    moved = shutil.copytree(folder, tmp_path / "elsewhere")
    second = build(moved, [HYPERNYMS_ONLY[0], *reversed(HYPERNYMS_ONLY[1:])])
    assert second.dataset_id == first.dataset_id
    assert second.images["uri"].to_pylist() != first.images["uri"].to_pylist()
    other = build(folder, HYPERNYMS_ONLY, TaxonomyConfig(source="csv", min_leaves=2, seed=1))
    assert other.dataset_id != first.dataset_id


def test_own_splits_and_groups_are_kept(folder: Path) -> None:
    lines = ["leaf,image,hypernym,split,group"]
    for leaf in ("parrot", "owl"):
        for k, split in enumerate(("train", "train", "test", "test", "validation")):
            lines.append(f"{leaf},{leaf}{k}.png,bird,{split},{split}{k // 2}")
    taxonomy = build(folder, lines)
    assert Counter(taxonomy.images["split"].to_pylist()) == {"train": 4, "test": 4, "validation": 2}


def test_groups_do_not_cross_splits(folder: Path) -> None:
    lines = ["leaf,image,hypernym,group"]
    lines += [
        f"{leaf},{leaf}{k}.png,bird,g{k // 2}" for leaf in ("parrot", "owl") for k in range(5)
    ]
    splits: dict[tuple[int, str], set[str]] = {}
    for image in build(folder, lines).images.to_pylist():
        splits.setdefault((image["concept_id"], image["family"]), set()).add(image["split"])
    assert len(splits) == 6
    assert all(len(held) == 1 for held in splits.values())


def test_copies_of_a_picture_stay_in_one_split(folder: Path) -> None:
    for k in (1, 2, 3):
        shutil.copy(folder / "owl0.png", folder / f"owl{k}.png")
    images = build(folder, HYPERNYMS_ONLY).images.to_pylist()
    copies = [image for image in images if image["uri"].rpartition("/")[2] < "owl4.png"]
    copies = [image for image in copies if "owl" in image["uri"]]
    assert len(copies) == 4
    assert len({image["split"] for image in copies}) == 1


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_listed_pairs_are_reachability_in_the_users_graph(
    folder: Path, data: st.DataObject
) -> None:
    words = [f"w{i}" for i in range(5)]
    direct = {
        leaf: data.draw(st.sets(st.sampled_from(words), max_size=3))
        for leaf in ("parrot", "owl", "poodle")
    }
    direct["owl"] |= {"w0"}
    lines = [
        f"{leaf},{leaf}{k}.png,{'|'.join(sorted(d))}" for leaf, d in direct.items() for k in (0, 1)
    ]
    edges = [
        (words[i], words[j])
        for i in range(1, 5)
        for j in data.draw(st.sets(st.integers(0, i - 1), max_size=2))
    ]
    source = read_csv(
        CONFIG,
        WordNet.open(wordnet_dir()),
        write(folder, ["leaf,image,hypernym", *lines]),
        edges_path=write(folder, ["hyponym,hypernym", *(f"{a},{b}" for a, b in edges)], "e.csv"),
    )
    graph = nx.DiGraph([*edges, *((leaf, word) for leaf in direct for word in direct[leaf])])
    want = {
        leaf: {word for word in words if word in graph and nx.has_path(graph, leaf, word)}
        for leaf in direct
        if leaf in graph
    }
    assert {leaf: set(held) for leaf, held in source.listed.items()} == want
