"""Names of classes in other languages: which rows count, and that every class has one."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from taxonomy.errors import ConfigError, DataError, XmodalError
from taxonomy.model import Taxonomy
from tests.xmodal import tiny
from xmodal.align.class_names import read_class_names
from xmodal.align.templates import ClassName, class_texts

GERMAN = ["axe,Axt", "hen,Henne", "owl,Eule", "parrot,Papagei", "saw,Säge"]


@pytest.fixture(scope="module")
def of(tmp_path_factory: pytest.TempPathFactory) -> Taxonomy:
    return tiny.taxonomy(tmp_path_factory.mktemp("pictures"))


def file(folder: Path, header: str, lines: list[str], name: str = "de.csv") -> Path:
    path = folder / name
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def test_the_stem_says_the_language_where_nothing_else_does(of: Taxonomy, tmp_path: Path) -> None:
    path = file(tmp_path, "class,name", GERMAN)
    found = read_class_names(path, of)
    assert found.language == "de"
    assert read_class_names(path, of, language="German").language == "German"
    said = class_texts(of, ["photo", "das Wort {name}"], names=found.of)
    assert said.concept_id == class_texts(of, ["name"]).concept_id
    # leaves in the order of their names
    assert said.texts[2] == ["a photo of Eule", "das Wort Eule"]
    assert [texts[1] for texts in said.texts] == [f"das Wort {g.split(',')[1]}" for g in GERMAN]


def test_one_of_several_languages_with_phrases_and_synonyms(of: Taxonomy, tmp_path: Path) -> None:
    german = [f"{line},de," for line in GERMAN]
    more = ["leaf/owl,Uhu,de,ein Uhu", "owl,Eule,de,Eule", "owl,hibou,fr,un hibou"]
    path = file(tmp_path, "class,name,language,phrase", [*german, *more])
    found = read_class_names(path, of, language="de")
    at = class_texts(of, ["name"]).concept_id[2]
    assert found.of[at] == (ClassName("Eule", "Eule"), ClassName("Uhu", "ein Uhu"))
    said = class_texts(of, ["{name}!", "photo"], names=found.of)
    assert said.texts[2] == ["Eule!", "a photo of Eule", "Uhu!", "a photo of ein Uhu"]
    for language, error, message in (
        (None, ConfigError, r"has names in 2 languages, de, fr: choose a language$"),
        ("it", DataError, r"unknown language 'it'; valid: de, fr$"),
        ("fr", DataError, r"has no name in fr for 4 of 5 classes, such as 'axe': add a row "),
    ):
        with pytest.raises(error, match=message):
            read_class_names(path, of, language=language)


def test_a_parquet_file_of_one_language_and_other_roles(of: Taxonomy, tmp_path: Path) -> None:
    classes, names = zip(*(line.split(",") for line in GERMAN), strict=True)
    columns = {
        "class": ["hypernym/bird", "tool", *classes],
        "name": ["Vogel", "Werkzeug", *names],
        "language": ["de"] * 7,
    }
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table(columns), path)
    assert read_class_names(path, of).language == "de"
    assert {names[0].name for names in read_class_names(path, of).of.values()} == set(names)
    above = read_class_names(path, of, "hypernym")
    assert {names[0].name for names in above.of.values()} == {"Vogel", "Werkzeug"}


@pytest.mark.parametrize(
    ("header", "lines", "message"),
    [
        ("class,name", [*GERMAN, "owk,Uhu"], "1 of 6 entries do not name one class, the first in "),
        ("class,name", ["axe,"], "has no name in line 2: fill it in"),
        ("class,names", GERMAN, "has no column name, only class, names"),
        ("class,name,language", ["axe,Axt,"], "has no language in line 2: fill it in"),
        ("class,name", [], "holds no name"),
    ],
)
def test_bad_files(
    of: Taxonomy, tmp_path: Path, header: str, lines: list[str], message: str
) -> None:
    with pytest.raises(XmodalError, match=message):
        read_class_names(file(tmp_path, header, lines), of)


def test_another_kind_of_file(of: Taxonomy, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"names.txt must be a \.csv or \.parquet file of class"):
        read_class_names(tmp_path / "names.txt", of)
