"""A user's own table of relations."""

from __future__ import annotations

from pathlib import Path

import pytest

from taxonomy.errors import DataError
from taxonomy.manifest import ManifestBuilder
from taxonomy.model import ManifestConfig, Taxonomy, TaxonomyConfig
from taxonomy.relations.relation import Relation, add_relations, question_text
from taxonomy.relations.table import read_table
from tests.taxonomy.csv_tables import HYPERNYMS_ONLY, build, paint, write
from xmodal.taxonomies import build_taxonomy


@pytest.fixture
def birds(tmp_path: Path) -> Taxonomy:
    """parrot: bird, pet; owl: bird; poodle: pet."""
    for number, leaf in enumerate(("parrot", "owl", "poodle")):
        for k in range(5):
            paint(tmp_path / f"{leaf}{k}.png", 10 * number + k)
    return build(tmp_path, HYPERNYMS_ONLY)


@pytest.fixture(scope="module")
def embedded() -> Taxonomy:
    return build_taxonomy(TaxonomyConfig())


def listed(relation: Relation) -> dict[str, set[str]]:
    return {leaf.partition("/")[2]: set(words) for leaf, words in relation.listed.items()}


def test_rows_name_leaves_hypernyms_and_keys(tmp_path: Path, birds: Taxonomy) -> None:
    lines = [
        "concept,relation,target,phrase,question,answer",
        "bird,habitat,forest,,Does it live in {phrase}?,",
        "leaf/poodle,habitat,Home,a home,,",
        "Parrot,habitat,home,,,unclear",
        "pet,colour,red,red,,yes",
    ]
    colour, habitat = read_table(write(tmp_path, lines, "r.csv"), birds)
    assert (colour.name, habitat.name) == ("colour", "habitat")
    # bird is a Yes of parrot and owl, pet of parrot and poodle
    assert listed(habitat) == {"parrot": {"forest"}, "owl": {"forest"}, "poodle": {"home"}}
    assert listed(colour) == {"parrot": {"red"}, "poodle": {"red"}}
    assert habitat.unclear == {"leaf/parrot": {"home"}}
    assert habitat.phrases == {"forest": "a forest", "home": "a home"}
    assert colour.phrases == {"red": "red"}
    assert (habitat.question, colour.question) == ("Does it live in {phrase}?", None)


def test_a_built_dataset_carries_question_and_pairs(tmp_path: Path, birds: Taxonomy) -> None:
    lines = ["concept,relation,target,question", "bird,habitat,forest,Does it live in {phrase}?"]
    path = write(tmp_path, lines, "r.csv")
    config = TaxonomyConfig(source="csv", min_leaves=2)
    whole = build_taxonomy(config, csv=tmp_path / "t.csv", relations=path)
    assert whole.config.relations == ("hypernym", "habitat")
    assert question_text(whole, "habitat") == "Does it live in {phrase}?"
    rows = [r for r in whole.leaf_hypernym.to_pylist() if r["relation"] == "habitat"]
    assert [(r["strict"], r["everyday"], r["used"]) for r in rows] == [(None, True, True)] * 2
    # another question is another dataset
    lines[1] = "bird,habitat,forest,Is it found in {phrase}?"
    other = build_taxonomy(
        config, csv=tmp_path / "t.csv", relations=write(tmp_path, lines, "s.csv")
    )
    assert len({birds.dataset_id, whole.dataset_id, other.dataset_id}) == 3


def test_an_unclear_pair_is_neither_yes_nor_no(tmp_path: Path, birds: Taxonomy) -> None:
    lines = [
        "concept,relation,target,answer",
        "bird,habitat,forest,",
        "poodle,habitat,forest,unclear",
    ]
    whole = add_relations(birds, read_table(write(tmp_path, lines, "r.csv"), birds))
    name = whole.concepts["name"].to_pylist()
    said = {
        name[r["leaf_id"]]: (r["everyday"], r["used"])
        for r in whole.leaf_hypernym.to_pylist()
        if r["relation"] == "habitat"
    }
    assert said == {"parrot": (True, True), "owl": (True, True), "poodle": (None, False)}
    cells = ManifestBuilder(whole).build(ManifestConfig(relation="habitat")).cells.to_pylist()
    assert {name[cell["leaf_id"]] for cell in cells} == {"parrot", "owl"}


def test_inner_concepts_and_synsets_stand_for_the_leaves_below(
    tmp_path: Path, embedded: Taxonomy
) -> None:
    lines = ["concept,relation,target", "dog,sound,bark", "canine.n.02,place,den"]
    place, sound = read_table(write(tmp_path, lines, "r.csv"), embedded)
    assert listed(sound) == {"poodle": {"bark"}}
    assert listed(place) == {"poodle": {"den"}, "wolf": {"den"}, "fox": {"den"}}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["concept,target", "parrot,wing"], r"lacks the column relation; it must have concept"),
        (["concept,relation,target"], r"has a header but no rows"),
        (["concept,relation,target", "parot,part,wing"], r"line 2: unknown concept 'parot'; valid"),
        (["concept,relation,target", "owl,part,"], r"line 2: target must not be empty"),
        (["concept,relation,target", "owl,leaf,x"], r"line 2: relation must be a name .* 'leaf'"),
        (["concept,relation,target", "owl,P!,x"], r"line 2: relation must be a name .* 'p!'"),
        (
            ["concept,relation,target,question", "owl,part,wing,Has it one?"],
            r"line 2: question must hold \{phrase\} once, got 'Has it one\?'",
        ),
        (
            ["concept,relation,target,question", "owl,part,wing,Is {x} {phrase}?"],
            r"line 2: question must hold \{phrase\} once",
        ),
        (
            ["concept,relation,target,answer", "owl,part,wing,no"],
            r"line 2: answer must be one of yes, unclear, got 'no'",
        ),
        (
            ["concept,relation,target,phrase", "owl,part,wing,a wing", "parrot,part,wing,wings"],
            r"line 3: phrase of 'wing' is 'a wing' in an earlier row, got 'wings'",
        ),
        (
            ["concept,relation,target,answer", "bird,part,wing,yes", "owl,part,wing,unclear"],
            r"line 3: part 'wing' of 'owl' is yes in an earlier row and unclear here",
        ),
        (["concept,relation,target", "owl,part"], r"line 2 must have 3 cells like the header"),
    ],
)
def test_a_bad_row_is_one_line_with_its_number(
    tmp_path: Path, birds: Taxonomy, lines: list[str], message: str
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_table(write(tmp_path, lines, "r.csv"), birds)
    assert "\n" not in str(caught.value)


def test_one_relation_comes_from_one_source(embedded: Taxonomy, tmp_path: Path) -> None:
    path = write(tmp_path, ["concept,relation,target", "bird,part,wing"], "r.csv")
    with pytest.raises(DataError, match="relation 'part' comes from two sources"):
        build_taxonomy(TaxonomyConfig(relations=("hypernym", "part")), relations=path)


def test_no_target_with_enough_leaves_is_one_line(birds: Taxonomy) -> None:
    few = Relation(
        name="sound", phrases={"hoot": "a hoot"}, listed={"leaf/owl": frozenset(["hoot"])}
    )
    with pytest.raises(
        DataError, match="no target has min_leaves = 2 leaves; the largest is 'hoot' with 1"
    ):
        add_relations(birds, [few])
