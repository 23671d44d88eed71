"""A list of images as a source: what is read, how it is split, what is refused."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from taxonomy.errors import DataError
from taxonomy.model import SPLITS, Taxonomy, TaxonomyConfig
from taxonomy.sources.image_list import ImageList, read_list
from taxonomy.split import TEST_SHARE, VALIDATION_SHARE, split_groups
from taxonomy.wordnet import WordNet
from xmodal.bundle import wordnet_files

LEAVES = ("parrot.n.01", "owl", "n02084071", "wolf.n.01", "hammer.n.01")
CONFIG = TaxonomyConfig(source="list", min_leaves=2)


def rows(n: int = 6) -> list[dict[str, Any]]:
    return [
        {
            "leaf": leaf,
            "image": f"{leaf}/{k}.jpg",
            "sha256": sha256(f"{leaf}{k}".encode()).hexdigest(),
        }
        for k in range(n)
        for leaf in LEAVES
    ]


def write(folder: Path, listed: list[dict[str, Any]]) -> Path:
    path = folder / "images.parquet"
    pq.write_table(pa.Table.from_pylist(listed), path)
    return path


def read(path: Path, **more: Any) -> ImageList:
    nouns = WordNet.open(wordnet_files.wordnet_dir())
    return read_list(more.pop("config", CONFIG), nouns, path, **more)


def whole(path: Path, **more: Any) -> Taxonomy:
    return read(path, **more).whole()


def test_rows_keep_their_order_names_and_hashes(tmp_path: Path) -> None:
    listed = rows()
    taxonomy = whole(write(tmp_path, listed))
    keys = taxonomy.concepts["key"].to_pylist()
    images = taxonomy.images.to_pylist()
    assert [row["image_id"] for row in images] == list(range(30))
    assert [row["sha256"] for row in images] == [row["sha256"] for row in listed]
    assert [row["uri"] for row in images] == [str(tmp_path / row["image"]) for row in listed]
    synset = dict(zip(LEAVES, ("parrot", "owl", "dog", "wolf", "hammer"), strict=True))
    found = [keys[row["concept_id"]] for row in images]
    assert found == [f"leaf/{synset[row['leaf']]}.n.01" for row in listed]
    used = [pair for pair in taxonomy.leaf_hypernym.to_pylist() if pair["used"]]
    pairs = {(keys[pair["leaf_id"]], keys[pair["hypernym_id"]]) for pair in used}
    assert ("leaf/parrot.n.01", "hypernym/bird") in pairs
    assert ("leaf/hammer.n.01", "hypernym/bird") not in pairs


def test_the_id_is_of_the_rows_and_not_of_how_they_are_written(tmp_path: Path) -> None:
    first = read(write(tmp_path, rows())).taxonomy
    binary = [{**row, "sha256": bytes.fromhex(row["sha256"])} for row in rows()]
    upper = [{**row, "sha256": row["sha256"].upper()} for row in rows()]
    other = [{**row, "image": f"moved/{row['image']}"} for row in rows()]
    for listed in (binary, upper, other):
        assert read(write(tmp_path, listed)).taxonomy.dataset_id == first.dataset_id
    changed = [*rows()[:-1], {**rows()[-1], "sha256": "0" * 64}]
    assert read(write(tmp_path, changed)).taxonomy.dataset_id != first.dataset_id


def test_splits_are_by_the_rule_of_other_sources(tmp_path: Path) -> None:
    """Of each leaf a quarter to test, 5 % to validation from four groups on, groups whole."""
    rng = np.random.default_rng(0)
    leaf = rng.integers(0, 9, 4000)
    group = leaf * 400 + rng.integers(0, 300, 4000)
    keys = rng.integers(0, 2**63, 4000).astype(np.uint64)
    split = split_groups(leaf, keys, group)
    assert all(len(set(split[group == one].tolist())) == 1 for one in np.unique(group))
    for one in range(9):
        own = split[leaf == one]
        for name, ratio in (("test", TEST_SHARE), ("validation", VALIDATION_SHARE)):
            # the next group would be too much by more than half of it
            assert abs(np.mean(own == SPLITS.index(name)) - ratio) < 2 / 100
    few = split_groups(np.array([0, 0, 1, 1, 1]), np.arange(5, dtype=np.uint64))
    assert [SPLITS[n] for n in few] == ["test", "train", "test", "train", "train"]
    order = rng.permutation(4000)
    assert (split_groups(leaf[order], keys[order], group[order]) == split[order]).all()
    given = [{**row, "split": SPLITS[n // 5 % 3]} for n, row in enumerate(rows())]
    images = whole(write(tmp_path, given)).images
    assert images["split"].to_pylist() == [row["split"] for row in given]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sha256": None}, "row 7: sha256 must not be NULL"),
        ({"leaf": None}, "row 7: leaf must not be NULL"),
        ({"sha256": "ab"}, "row 7: sha256 must be 64 hex digits or 32 bytes, got 'ab'"),
        ({"sha256": "g" * 64}, "row 7: sha256 must be 64 hex digits or 32 bytes, got 'ggg"),
        ({"sha256": rows()[1]["sha256"]}, "under 'owl' and 'n02084071', of which a No about one"),
        ({"sha256": rows()[2]["sha256"]}, "under 'n02084071'; keep one of them"),
        ({"leaf": "no such thing"}, "no such thing: unknown noun 'no such thing'"),
        ({"leaf": "parrot"}, "'parrot' and 'parrot.n.01' are both parrot.n.01"),
        ({"leaf": "saw"}, "1 leaves have no train image, such as 'saw' with 1 images in all"),
        ({"image": "../x.jpg"}, "row 7 names the picture '../x.jpg', which leads out of"),
        ({"image": "/x.jpg"}, "row 7 names the picture '/x.jpg', which leads out of"),
        ({"image": ""}, "row 7 must name an image, got ''"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    listed = rows()
    listed[7] |= change
    with pytest.raises(DataError) as error:
        read(write(tmp_path, listed))
    assert message in str(error.value)


def test_a_bad_file_is_one_line(tmp_path: Path) -> None:
    path = write(tmp_path, [{"leaf": "owl", "image": "x.jpg"}])
    with pytest.raises(DataError, match="lacks sha256: it must have the columns image, sha256"):
        read(path)
    write(tmp_path, [{**row, "split": "dev"} for row in rows()])
    with pytest.raises(DataError, match="split must be one of train, validation, test, got 'dev'"):
        read(path)
    leaks = [{**row, "split": SPLITS[n // 5 % 3], "group": "g"} for n, row in enumerate(rows())]
    write(tmp_path, leaks)
    with pytest.raises(DataError, match="its group is in two splits of"):
        read(path)
    content = write(tmp_path, rows()).read_bytes()
    path.write_bytes(content[:-9])
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        read(path)
    outside = [{**row, "image": f"../{row['image']}"} for row in rows()]
    taken = whole(write(tmp_path, outside), allow_outside=True)
    assert taken.images["uri"][0].as_py() == f"{tmp_path}/../parrot.n.01/0.jpg"
