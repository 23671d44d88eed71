"""A user's own table: what it may say, and one clear line for each thing wrong with it."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import networkx as nx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from taxonomy.errors import DataError
from taxonomy.graph import taxonomy_graph
from taxonomy.model import Taxonomy, TaxonomyConfig
from taxonomy.outline import outline
from taxonomy.sources.csv_source import read_csv
from taxonomy.stats import stats, summary
from taxonomy.wordnet import WordNet
from xmodal.bundle.wordnet_files import wordnet_dir
from xmodal.taxonomies import build_taxonomy

CONFIG = TaxonomyConfig(source="csv", min_leaves=2)


def paint(path: Path, color: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4), (color % 256, color // 256, 9)).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five different pictures for each name that the tests use."""
    for i, name in enumerate(("parrot", "owl", "poodle", "beagle", "dog", "car")):
        for k in range(5):
            paint(tmp_path / f"{name}{k}.png", 5 * i + k)
    return tmp_path


def write(folder: Path, lines: list[str], name: str = "t.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def rows(*leaves: tuple[str, str], n: int = 5) -> list[str]:
    """n rows of each (leaf, rest of the row)."""
    return [f"{leaf},{leaf}{k}.png,{rest}" for leaf, rest in leaves for k in range(n)]


def build(folder: Path, lines: list[str], config: TaxonomyConfig = CONFIG) -> Taxonomy:
    return build_taxonomy(config, csv=write(folder, lines))


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


HYPERNYMS_ONLY = [
    "leaf,image,hypernym",
    *rows(("parrot", "bird|pet"), ("owl", "bird"), ("poodle", "pet")),
]


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


BAD_TABLES = {
    "columns missing": (
        ["leaf,hypernym", "owl,bird"],
        "t.csv lacks the column image; it must have leaf, image and at least one of synset and "
        "hypernym, got leaf, hypernym",
    ),
    "no hypernym or synset": (
        ["leaf,image", "owl,owl0.png"],
        "t.csv lacks the column synset or hypernym (one of them); it must have leaf, image",
    ),
    "empty file": ([""], "t.csv lacks the column leaf, image"),
    "no rows": (["leaf,image,hypernym"], "t.csv has a header but no rows; it needs one row an"),
    "column twice": (["leaf,image,image,hypernym"], "has the column 'image' more than once"),
    "short row": (
        [*HYPERNYMS_ONLY, "owl,owl1.png"],
        "t.csv line 17 must have 3 cells like the header, got 2",
    ),
    "comma without quotes": ([*HYPERNYMS_ONLY, "owl,a,b.png,bird"], "line 17 must have 3 cells"),
    "open quote": ([*HYPERNYMS_ONLY, 'owl,"owl1.png,bird'], "line 17 is not CSV: unexpected end"),
    "no leaf": ([*HYPERNYMS_ONLY, ",owl1.png,bird"], "line 17 must name a leaf, got an empty"),
    "row twice": (
        [*HYPERNYMS_ONLY, HYPERNYMS_ONLY[1]],
        "t.csv line 17 repeats line 2 (leaf 'parrot', image 'parrot0.png'); take one of them out",
    ),
    "cycle": (
        ["leaf,image,hypernym", *rows(("dog", "animal"), ("owl", "dog")), "animal,car0.png,owl"],
        "t.csv: hypernyms must not form a cycle, got animal -> owl -> dog -> animal; take out",
    ),
    "own hypernym": (
        ["leaf,image,hypernym", *rows(("owl", "owl"))],
        "t.csv: hypernyms must not form a cycle, got owl -> owl; take out one of them",
    ),
    "unknown synset": (
        ["leaf,image,synset", *rows(("parrot", "parrott.n.01"))],
        "t.csv line 2: leaf 'parrot': unknown synset 'parrott.n.01'; valid: parrot.n.01",
    ),
    "two synsets": (
        ["leaf,image,synset", "owl,owl0.png,owl.n.01", "owl,owl1.png,bird.n.01"],
        "t.csv line 3: leaf 'owl' has synset bird.n.01 here and owl.n.01 before; a leaf has one",
    ),
    "leaf without images": (
        [*HYPERNYMS_ONLY, "swan,,bird"],
        "t.csv line 17: leaf 'swan' has no images; give it at least two rows with one",
    ),
    "one image": (
        [*HYPERNYMS_ONLY, "car,car0.png,pet"],
        "leaf 'car' has 1 image(s) in 1 group(s); it needs at least two groups",
    ),
    "image missing": ([*HYPERNYMS_ONLY, "owl,gone.png,bird"], "gone.png of leaf 'owl' does not ex"),
    "one picture, two leaves": (
        [*HYPERNYMS_ONLY, "owl,parrot0.png,bird"],
        "line 17: image 'parrot0.png' of leaf 'owl' is the same picture as that of leaf 'parrot'",
    ),
    "unknown split": (
        ["leaf,image,hypernym,split", "owl,owl0.png,bird,dev"],
        "t.csv line 2: split must be one of train, validation, test, got 'dev'",
    ),
    "split for some": (
        ["leaf,image,hypernym,split", "owl,owl0.png,bird,train", "owl,owl1.png,bird,"],
        "line 3: image 'owl1.png' has no split, but other images of leaf 'owl' have one",
    ),
    "no test image": (
        ["leaf,image,hypernym,split", *rows(("owl", "bird,train"), ("parrot", "bird,train"))],
        "leaf 'owl' has no test image; it needs at least one",
    ),
    "group in two splits": (
        ["leaf,image,hypernym,split,group", "owl,owl0.png,b,train,g", "owl,owl1.png,b,test,g"],
        "line 3: group 'g' of leaf 'owl' is in test here and in train before",
    ),
    "image in two splits": (
        ["leaf,image,hypernym,split", "owl,owl0.png,bird,train", "owl,owl0.png,pet,test"],
        "line 3: image 'owl0.png' has split 'test' here and 'train' in ",
    ),
    "few leaves": (
        ["leaf,image,hypernym", *rows(("owl", "bird"))],
        "no hypernym has min_leaves = 2 leaves under pairs 'agreed'; the largest is 'bird' with 1",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_TABLES)
def test_bad_tables(folder: Path, case: str) -> None:
    lines, message = BAD_TABLES[case]
    with pytest.raises(DataError) as caught:
        build(folder, lines)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_table(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv cannot be read: No such file"):
        build_taxonomy(CONFIG, csv=tmp_path / "none.csv")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF"])
@pytest.mark.parametrize("n_lost", [16, 2000])
def test_truncated_picture(folder: Path, kind: str, n_lost: int) -> None:
    Image.effect_noise((64, 64), 90).save(folder / "owl2.png", format=kind)
    whole = (folder / "owl2.png").read_bytes()
    (folder / "owl2.png").write_bytes(whole[:-n_lost])
    with pytest.raises(DataError, match=r"line 9: image .*owl2\.png of leaf 'owl' cannot be deco"):
        build(folder, HYPERNYMS_ONLY)


def test_a_file_that_is_no_picture(folder: Path) -> None:
    (folder / "owl2.png").write_text("not a picture")
    with pytest.raises(DataError, match="cannot identify image file"):
        build(folder, HYPERNYMS_ONLY)


def test_a_table_that_is_not_utf8(folder: Path) -> None:
    path = folder / "t.csv"
    path.write_bytes("leaf,image,hypernym\nkäfer,owl0.png,bird\n".encode("latin-1"))
    with pytest.raises(DataError) as caught:
        build_taxonomy(CONFIG, csv=path)
    assert "t.csv must be UTF-8, but line 2 has the byte 0xe4; save it as UTF-8" in str(
        caught.value
    )


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["child,parent"], "e.csv must have the columns hyponym and hypernym, got child, parent"),
        (["hyponym,hypernym", "bird,"], "e.csv line 2 must name both a hyponym and a hypernym"),
        (["hyponym,hypernym", "bird,owl"], "must not form a cycle, got bird -> owl -> bird"),
    ],
)
def test_bad_edges(folder: Path, lines: list[str], message: str) -> None:
    with pytest.raises(DataError) as caught:
        build_taxonomy(
            CONFIG, csv=write(folder, HYPERNYMS_ONLY), edges=write(folder, lines, "e.csv")
        )
    assert message in str(caught.value)


def test_edges_that_turn_wordnet_round(folder: Path) -> None:
    lines = rows(("parrot", "parrot.n.01,bird"), ("poodle", "poodle.n.01,animal"))
    table = write(folder, ["leaf,image,synset,hypernym", *lines])
    edges = write(folder, ["hyponym,hypernym", "animal,bird"], "e.csv")
    with pytest.raises(DataError) as caught:
        build_taxonomy(CONFIG, csv=table, edges=edges)
    assert str(caught.value) == (
        "csv list with WordNet 3.0: hypernyms must not form a cycle, got animal -> bird -> "
        "vertebrate.n.01 -> chordate.n.01 -> animal; take out one of them"
    )


def test_outline_draws_the_subtree_with_counts(folder: Path) -> None:
    lines = [
        "leaf,image,hypernym",
        *rows(("dog", "animal"), ("poodle", "dog"), ("beagle", "dog"), ("owl", "animal")),
    ]
    taxonomy = build(folder, lines)
    assert outline(taxonomy, "Animal").splitlines() == [
        "animal [hypernym]: 3 leaves, 15 images; asked of 3",
        "├── dog [hypernym]: 2 leaves, 10 images; asked of 2",
        "│   ├── dog [inner]: 0 leaves, 0 images; inner, 5 images of its own",
        "│   ├── beagle: 5 images (3 train, 1 validation, 1 test)",
        "│   └── poodle: 5 images (3 train, 1 validation, 1 test)",
        "└── owl: 5 images (3 train, 1 validation, 1 test)",
    ]
    assert outline(taxonomy, "inner/dog").startswith("dog [inner]")
    with pytest.raises(DataError, match="unknown concept 'anmal'; valid: animal"):
        outline(taxonomy, "anmal")


def test_outline_hides_synsets_unless_asked(folder: Path) -> None:
    lines = rows(
        ("parrot", "parrot.n.01,bird"), ("poodle", "poodle.n.01,bird"), ("owl", "owl.n.01,bird")
    )
    taxonomy = build(folder, ["leaf,image,synset,hypernym", *lines])
    assert "bird_of_prey" not in outline(taxonomy, "bird", synsets=False)
    assert "bird_of_prey.n.01 [synset]" in outline(taxonomy, "bird", synsets=True)
    assert "owl: 5 images" in outline(taxonomy, "bird")
