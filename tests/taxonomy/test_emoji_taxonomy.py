"""The bundled taxonomy: the counts to meet, ids, roles, edges and identity."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import networkx as nx
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from taxonomy import tables
from taxonomy.build import build_emoji
from taxonomy.errors import ConfigError, DataError
from taxonomy.graph import taxonomy_graph
from taxonomy.hashing import content_id
from taxonomy.model import Taxonomy, TaxonomyConfig
from taxonomy.sources.emoji import read_hypernyms, read_spec
from taxonomy.stats import report, stats, summary
from taxonomy.wordnet import WordNet
from xmodal.bundle.files import data_file
from xmodal.bundle.pictures import load_pictures
from xmodal.bundle.wordnet_files import wordnet_dir
from xmodal.taxonomies import build_taxonomy

DROPPED = {"furniture": 3, "lamp": 5, "public transport": 4, "timepiece": 4, "watercraft": 5}


@pytest.fixture(scope="module")
def wordnet() -> WordNet:
    return WordNet.open(wordnet_dir())


@pytest.fixture(scope="module")
def emoji() -> Taxonomy:
    return build_taxonomy(TaxonomyConfig())


def names(taxonomy: Taxonomy, role: str) -> set[str]:
    concepts = taxonomy.concepts.filter(pc.equal(taxonomy.concepts["role"], role))
    return set(concepts["name"].to_pylist())


def used_pairs(taxonomy: Taxonomy) -> set[tuple[str, str]]:
    name = taxonomy.concepts["name"].to_pylist()
    rows = taxonomy.leaf_hypernym.to_pylist()
    return {(name[r["leaf_id"]], name[r["hypernym_id"]]) for r in rows if r["used"]}


def test_counts(emoji: Taxonomy) -> None:
    found = stats(emoji)
    assert found.n_leaves == 518
    assert found.n_inner == 47
    assert len(found.leaves_of) == 34
    assert found.dropped == DROPPED
    assert found.n_pairs == 525
    assert found.n_leaves_with_hypernym == 341
    assert len(names(emoji, "hypernym")) == 39
    assert found.leaves_of["animal"] == 96
    assert min(found.leaves_of.values()) == 6


@pytest.mark.parametrize(("pairs", "n_pairs"), [("strict", 576), ("everyday", 597)])
def test_counts_of_the_other_pairs_before_dropping(pairs: str, n_pairs: int) -> None:
    taxonomy = build_taxonomy(TaxonomyConfig(pairs=pairs, min_leaves=1))
    assert stats(taxonomy).n_pairs == n_pairs
    assert stats(taxonomy).dropped == {}


def test_strict_closure_is_the_one_the_list_was_made_from(wordnet: WordNet) -> None:
    synsets = read_spec(data_file("spec.txt"), wordnet)
    for hypernym in read_hypernyms(data_file("hypernyms.json")):
        closure = {c for c, s in synsets.items() if hypernym.synset in wordnet.ancestors(s)}
        assert closure == hypernym.leaves_wordnet, hypernym.word


def test_pairs_are_what_the_two_lists_say(emoji: Taxonomy) -> None:
    leaves = names(emoji, "leaf")
    hypernyms = read_hypernyms(data_file("hypernyms.json"))
    want = {
        (leaf, h.word)
        for h in hypernyms
        if h.word not in DROPPED
        for leaf in h.leaves_wordnet & h.leaves_everyday & leaves
    }
    assert used_pairs(emoji) == want
    said = {(leaf, h.word) for h in hypernyms for leaf in h.leaves_wordnet | h.leaves_everyday}
    assert emoji.leaf_hypernym.num_rows == len({pair for pair in said if pair[0] in leaves})
    assert ("taxi", "container") not in used_pairs(emoji)
    assert ("taxi", "container") in said


def test_tables_have_their_schemas_and_dense_ids_in_key_order(emoji: Taxonomy) -> None:
    assert emoji.concepts.schema == tables.CONCEPT
    assert emoji.edges.schema == tables.EDGE
    assert emoji.leaf_hypernym.schema == tables.LEAF_HYPERNYM
    assert emoji.images.schema == tables.IMAGE
    keys = emoji.concepts["key"].to_pylist()
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)
    assert emoji.concepts["concept_id"].to_pylist() == list(range(len(keys)))
    assert emoji.images["image_id"].to_pylist() == list(range(emoji.images.num_rows))
    for row in emoji.concepts.to_pylist():
        assert row["key"].startswith(f"{row['role']}/")


def test_inner_nodes_are_the_wordnet_ancestors_of_other_concepts(
    emoji: Taxonomy, wordnet: WordNet
) -> None:
    synsets = read_spec(data_file("spec.txt"), wordnet)
    above = set().union(*(wordnet.ancestors(synset) for synset in synsets.values()))
    assert names(emoji, "inner") == {name for name, synset in synsets.items() if synset in above}
    assert {"dog", "bear", "car", "cake"} <= names(emoji, "inner")


def test_edges_are_wordnets_and_the_everyday_pairs_it_lacks(
    emoji: Taxonomy, wordnet: WordNet
) -> None:
    graph = taxonomy_graph(emoji)
    assert nx.is_directed_acyclic_graph(graph)
    rows = {row["key"]: row for row in emoji.concepts.to_pylist()}
    everyday = set()
    for below, above, source in graph.edges(data="source"):
        if source == "everyday":
            everyday.add((rows[below]["name"], rows[above]["name"]))
            continue
        low, high = rows[below]["synset"], rows[above]["synset"]
        assert high in wordnet.parents(low) or low == high, (below, above)
    want = {
        (leaf, h.word)
        for h in read_hypernyms(data_file("hypernyms.json"))
        for leaf in h.leaves_everyday - h.leaves_wordnet
    }
    assert everyday == want
    assert graph.has_edge("inner/cake", "hypernym/cake")
    assert "synset/bird.n.01" not in graph
    assert graph.has_edge("leaf/parrot", "hypernym/bird")


def test_graph_reaches_exactly_what_wordnet_and_the_list_say(
    emoji: Taxonomy, wordnet: WordNet
) -> None:
    graph = taxonomy_graph(emoji)
    rows = {row["key"]: row for row in emoji.concepts.to_pylist()}
    for leaf in ("parrot", "taxi", "french fries"):
        wordnet_only = nx.DiGraph(
            edge[:2] for edge in graph.edges(data="source") if edge[2] == "wordnet"
        )
        got = {rows[key]["synset"] for key in nx.descendants(wordnet_only, f"leaf/{leaf}")}
        assert got == wordnet.ancestors(rows[f"leaf/{leaf}"]["synset"])
    assert "hypernym/dish" in nx.descendants(graph, "leaf/french fries")


def test_images_follow_the_bundle(emoji: Taxonomy) -> None:
    pictures = load_pictures()
    assert emoji.images.num_rows == pictures.num_rows
    assert emoji.images["sha256"].to_pylist() == pictures["sha256"].to_pylist()
    assert emoji.images["uri"].to_pylist()[:2] == ["bundle:0", "bundle:1"]
    name = emoji.concepts["name"].to_pylist()
    role = emoji.concepts["role"].to_pylist()
    splits: dict[str, dict[str, set[str]]] = {}
    for image, concept in zip(
        emoji.images.to_pylist(), pictures["concept"].to_pylist(), strict=True
    ):
        assert name[image["concept_id"]] == concept
        assert (image["split"] is None) == (role[image["concept_id"]] == "inner")
        if image["split"]:
            families = splits.setdefault(concept, {}).setdefault(image["split"], set())
            families.add(image["family"])
    for leaf, families in splits.items():
        assert {"train", "test"} <= set(families), leaf
        every = [family for held in families.values() for family in held]
        assert len(every) == len(set(every)), f"a family of {leaf} is in two splits"


def test_identity_is_the_content(emoji: Taxonomy) -> None:
    again = build_taxonomy(TaxonomyConfig())
    assert again.dataset_id == emoji.dataset_id
    want = content_id(
        {
            "config": emoji.config.identity(),
            "concepts": emoji.concepts.to_pydict(),
            "edges": emoji.edges.to_pydict(),
            "leaf_hypernym": emoji.leaf_hypernym.drop_columns(["relation"]).to_pydict(),
            "images": emoji.images.drop_columns(["uri"]).to_pydict(),
        }
    )
    assert emoji.dataset_id == want == "a78bff199446583b"  # as first released
    assert build_taxonomy(TaxonomyConfig(pairs="strict")).dataset_id != emoji.dataset_id


def test_another_process_with_another_hash_seed_builds_the_same(emoji: Taxonomy) -> None:
    code = (
        "from taxonomy.model import TaxonomyConfig\n"
        "from xmodal.taxonomies import build_taxonomy\n"
        "t = build_taxonomy(TaxonomyConfig())\n"
        "import json; print(t.dataset_id, json.dumps(t.notes, sort_keys=True))"
    )
    env = os.environ | {"PYTHONHASHSEED": "4242"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == (f"{emoji.dataset_id} {json.dumps(emoji.notes, sort_keys=True)}")


def test_report_names_what_it_counts(emoji: Taxonomy) -> None:
    text = report(emoji)
    assert summary(emoji) in text
    assert (
        "dropped, fewer than 6 leaves: furniture 3, lamp 5, public transport 4, timepiece 4, "
        "watercraft 5" in text
    )
    assert "34 hypernyms, 525 (leaf, hypernym) pairs, 341 leaves with a hypernym" in text
    assert f"{len(stats(emoji).without_validation)} leaves have no validation image" in text
    assert emoji.notes["moved"] == []


def test_near_duplicates_are_the_bundles_and_across_splits(emoji: Taxonomy) -> None:
    images = emoji.images.to_pylist()
    pairs = emoji.notes["near_duplicates"]
    assert pairs
    n_same = 0
    for pair in pairs:
        first, second = images[pair["image_a"]], images[pair["image_b"]]
        assert None not in (first["split"], second["split"])
        assert first["split"] != second["split"]
        n_same += first["concept_id"] == second["concept_id"]
    line = f"{len(pairs)} pairs of near-duplicates across splits, {n_same} of them of one leaf"
    assert line in report(emoji)


def small_build(
    tmp_path: Path, wordnet: WordNet, spec: str, pictures: list[dict[str, str]]
) -> Taxonomy:
    (tmp_path / "spec.txt").write_text(spec)
    hypernym = {"word": "bird", "synset": "bird.n.01"}
    leaves = {"leaves_wordnet": ["parrot"], "leaves_everyday": ["parrot"]}
    (tmp_path / "h.json").write_text(json.dumps([hypernym | leaves]))
    table = pa.Table.from_pylist(pictures)
    return build_emoji(
        TaxonomyConfig(min_leaves=1), wordnet, tmp_path / "spec.txt", tmp_path / "h.json", table
    )


def picture(**changes: str) -> dict[str, str]:
    return {
        "concept": "parrot",
        "split": "train",
        "style": "s",
        "family": "f",
        "sha256": "0",
    } | changes


def test_pictures_of_inner_nodes_are_in_no_split_whatever_the_table_says(
    tmp_path: Path, wordnet: WordNet
) -> None:
    pictures = [picture(), picture(split="test"), picture(concept="bird")]
    taxonomy = small_build(tmp_path, wordnet, "parrot=parrot#1=x\nbird=bird#1=x\n", pictures)
    assert taxonomy.images["split"].to_pylist() == ["train", "test", None]


def test_pairs_that_another_wordnet_moves_are_named(tmp_path: Path, wordnet: WordNet) -> None:
    pictures = [picture(concept=c, split=s) for c in ("parrot", "owl") for s in ("train", "test")]
    taxonomy = small_build(tmp_path, wordnet, "parrot=parrot#1=x\nowl=owl#1=x\n", pictures)
    assert taxonomy.notes["moved"] == ["owl < bird"], "the list gives WordNet the parrot only"
    assert "1 pairs are otherwise than in WordNet 3.0" in summary(taxonomy)
    assert "look at them: owl < bird" in summary(taxonomy)


@pytest.mark.parametrize(
    ("spec", "pictures", "message"),
    [
        ("parrot\n", [picture()], "line 1 must read concept=lemma#sense=emoji names"),
        ("parrot=parrot#1=x\nparrot=parrot#2=x\n", [picture()], "line 2 repeats the concept"),
        ("parrot=parrott#1=x\n", [picture()], "unknown synset 'parrott.n.01'; valid: parrot.n.01"),
        ("owl=owl#1=x\n", [picture()], "bird: unknown concept 'parrot'; valid: owl"),
        ("parrot=parrot#1=x\n", [picture(concept="parot")], "picture 0: unknown concept 'parot'"),
        ("parrot=parrot#1=x\n", [picture()], "leaf 'parrot' has no test image; it needs at least"),
        ("parrot=parrot#1=x\n", [picture(split="dev")], "must be in one of train, validation, te"),
        (
            "parrot=parrot#1=x\nowl=owl#1=x\n",
            [picture(), picture(split="test")],
            "leaf 'owl' has no images; add one or take the leaf out",
        ),
    ],
)
def test_bad_lists(
    tmp_path: Path, wordnet: WordNet, spec: str, pictures: list[dict[str, str]], message: str
) -> None:
    with pytest.raises(DataError) as caught:
        small_build(tmp_path, wordnet, spec, pictures)
    assert message in str(caught.value)


def test_no_hypernym_left() -> None:
    with pytest.raises(DataError) as caught:
        build_taxonomy(TaxonomyConfig(min_leaves=97))
    assert str(caught.value) == (
        "no hypernym has min_leaves = 97 leaves under pairs 'agreed'; the largest is 'animal' "
        "with 96; lower min_leaves or list more pairs"
    )


def test_a_table_goes_with_source_csv_only(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="source csv needs csv, got no csv"):
        build_taxonomy(TaxonomyConfig(source="csv"))
    with pytest.raises(ConfigError, match="csv goes with source csv, got 'emoji'"):
        build_taxonomy(TaxonomyConfig(), csv=tmp_path / "t.csv")
    with pytest.raises(ConfigError, match="edges goes with source csv, got 'emoji'"):
        build_taxonomy(TaxonomyConfig(), edges=tmp_path / "e.csv")
