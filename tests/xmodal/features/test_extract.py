"""Feature sets: rows, repetition, processes, and pictures that cannot be used."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxonomy.errors import ConfigError, DataError
from taxonomy.model import Taxonomy
from tests.xmodal import tiny
from xmodal.features.extract import FeatureConfig, FeatureSet, extract, load_features


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("features")


@pytest.fixture(scope="module")
def taxonomy(folder: Path) -> Taxonomy:
    return tiny.taxonomy(folder)


def listing(folder: Path) -> dict[str, tuple[int, bytes]]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


@given(st.data())
def test_rows_count_through_the_views(data: st.DataObject) -> None:
    n_images = data.draw(st.integers(1, 12))
    n_views = data.draw(st.integers(1, 4))
    train = sorted(data.draw(st.sets(st.integers(0, n_images - 1))))
    # the layout as the docstring tells it: every image, then view by view the training ones
    layout = [(image, 0) for image in range(n_images)]
    layout += [(image, view) for view in range(1, n_views) for image in train]
    features = FeatureSet(
        feature_set_id="f",
        dataset_id="d",
        config=FeatureConfig(encoder="classical", n_views=n_views),
        n_images=n_images,
        augmented=np.array(train if n_views > 1 else [], dtype=np.int64),
        sha256="",
        path=Path(),
    )
    images = data.draw(st.lists(st.integers(0, n_images - 1), max_size=9))
    views = data.draw(
        st.lists(st.integers(0, n_views - 1), min_size=len(images), max_size=len(images))
    )
    want = [
        layout.index((image, view if image in train else 0))
        for image, view in zip(images, views, strict=True)
    ]
    got = features.rows(np.array(images, dtype=np.int64), np.array(views, dtype=np.int64))
    assert got.tolist() == want


@pytest.mark.parametrize("n_views", [1, 3])
@pytest.mark.parametrize("pooling", ["pca", "patches"])
def test_one_row_for_each_picture_and_view(
    taxonomy: Taxonomy, tmp_path: Path, n_views: int, pooling: str
) -> None:
    config = FeatureConfig(encoder="classical", pooling=pooling, n_components=8, n_views=n_views)
    features, made = extract(taxonomy, config, tmp_path)
    assert made
    array = features.open()
    n_train = taxonomy.images["split"].to_pylist().count("train")
    n_rows = taxonomy.images.num_rows + (n_views - 1) * n_train
    assert array.shape == ((n_rows, 1, 8) if pooling == "pca" else (n_rows, 64, 58))
    assert (array.dtype, np.isfinite(array).all()) == (np.float32, True)
    images = np.arange(taxonomy.images.num_rows)
    for view in range(n_views):
        rows = features.rows(images, np.full(len(images), view))
        assert (rows < n_rows).all()
    assert np.array_equal(features.rows(images, np.zeros_like(images)), images)
    assert sha256((features.path / "features.npy").read_bytes()).hexdigest() == features.sha256


def test_pca_is_fitted_on_training_pictures_and_scaled_there(
    taxonomy: Taxonomy, tmp_path: Path
) -> None:
    features, _ = extract(taxonomy, tiny.FEATURES, tmp_path)
    train = np.array([split == "train" for split in taxonomy.images["split"].to_pylist()])
    seen = features.open()[: taxonomy.images.num_rows][train, 0]
    assert np.abs(seen.mean(axis=0)).max() < 1e-4
    assert seen.std(ddof=1) == pytest.approx(1, rel=1e-2)
    covariance = np.cov(seen.T)
    off = covariance - np.diag(np.diag(covariance))
    assert np.abs(off).max() < 0.01 * np.diag(covariance).max()
    # each component is divided by the root of its deviation: order of spread is kept
    assert (np.diff(np.diag(covariance)) <= 1e-5).all()


def test_directions_that_training_pictures_do_not_span_are_left_out(
    taxonomy: Taxonomy, tmp_path: Path
) -> None:
    features, _ = extract(taxonomy, replace(tiny.FEATURES, n_components=256), tmp_path)
    array = features.open()[:, 0]
    n_train = taxonomy.images["split"].to_pylist().count("train")
    assert array.shape[1] < n_train
    # a test picture is not far out where training pictures are all alike
    assert np.abs(array).max() < 30


def test_a_second_call_changes_no_byte(taxonomy: Taxonomy, tmp_path: Path) -> None:
    first, made = extract(taxonomy, tiny.FEATURES, tmp_path)
    before = listing(tmp_path)
    again, made_again = extract(taxonomy, tiny.FEATURES, tmp_path)
    assert (made, made_again) == (True, False)
    assert listing(tmp_path) == before
    assert again.sha256 == first.sha256
    assert np.array_equal(again.augmented, first.augmented)
    loaded = load_features(first.path)
    assert (loaded.config, loaded.n_images) == (tiny.FEATURES, taxonomy.images.num_rows)


@pytest.mark.slow
def test_another_process_makes_the_same_bytes(
    taxonomy: Taxonomy, folder: Path, tmp_path: Path
) -> None:
    here, _ = extract(taxonomy, tiny.FEATURES, tmp_path / "here")
    code = (
        "import sys; from pathlib import Path; from tests.xmodal import tiny\n"
        "from xmodal.features.extract import extract\n"
        "from xmodal.taxonomies import build_taxonomy, TaxonomyConfig\n"
        "of = build_taxonomy(TaxonomyConfig(source='csv', min_leaves=2), csv=Path(sys.argv[1]))\n"
        "print(extract(of, tiny.FEATURES, Path(sys.argv[2]))[0].path)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder / "table.csv"), str(tmp_path / "there")],
        capture_output=True,
        text=True,
        env=tiny.environment(PYTHONHASHSEED="5"),
        check=True,
    )
    there = Path(done.stdout.strip())
    assert there.name == here.path.name
    for name in ("features.npy", "feature_set.json"):
        assert (there / name).read_bytes() == (here.path / name).read_bytes()


def test_every_setting_makes_another_feature_set(taxonomy: Taxonomy, tmp_path: Path) -> None:
    changes = [{}, {"pooling": "patches"}, {"n_components": 4}, {"n_views": 1}, {"seed": 1}]
    sets = [extract(taxonomy, replace(tiny.FEATURES, **c), tmp_path)[0] for c in changes]  # type: ignore[arg-type]
    assert len({features.feature_set_id for features in sets}) == len(changes)
    assert len({features.sha256 for features in sets}) == len(changes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pooling": "max"}, "pooling must be one of pca, patches, cls, mean, given, got 'max'"),
        ({"layer": "first"}, "layer must be penultimate, last or a whole number, got 'first'"),
        ({"fit": "circle"}, "fit must be one of own, crop, square, pad, got 'circle'"),
        ({"dtype": "int8"}, "dtype must be one of float32, bfloat16, got 'int8'"),
        ({"side": 0}, "side must be at least 1 pixel, got 0"),
        ({"n_views": 0}, "n_views must be at least 1, got 0"),
        ({"n_components": 0}, "n_components must be at least 1, got 0"),
    ],
)
def test_settings_out_of_range(change: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{message}$"):
        FeatureConfig(**change)  # type: ignore[arg-type]


class TestPicturesOfAUser:
    @pytest.fixture
    def own(self, tmp_path: Path) -> Taxonomy:
        return tiny.taxonomy(tmp_path)

    def refused(self, own: Taxonomy, root: Path, match: str) -> None:
        with pytest.raises(DataError, match=match):
            extract(own, tiny.FEATURES, root / "features")
        assert not (root / "features").exists()

    def test_a_truncated_one_is_named_and_nothing_stays(
        self, own: Taxonomy, tmp_path: Path
    ) -> None:
        picture = tmp_path / "owl3.png"
        picture.write_bytes(picture.read_bytes()[:-30])
        self.refused(own, tmp_path, rf"^picture {picture} cannot be decoded: ")

    def test_a_missing_one_is_named(self, own: Taxonomy, tmp_path: Path) -> None:
        (tmp_path / "saw0.png").unlink()
        self.refused(own, tmp_path, rf"^picture {tmp_path}/saw0.png cannot be decoded: .*No such")

    def test_another_one_under_its_name_is_named(self, own: Taxonomy, tmp_path: Path) -> None:
        (tmp_path / "saw0.png").write_bytes((tmp_path / "saw1.png").read_bytes())
        self.refused(own, tmp_path, r"saw0.png is not the one the dataset was built with")

    def test_no_training_picture(self, own: Taxonomy, tmp_path: Path) -> None:
        rows = [row | {"split": "test"} for row in own.images.to_pylist()]
        images = own.images.from_pylist(rows, schema=own.images.schema)
        self.refused(replace(own, images=images), tmp_path, "has no training picture")


class TestDamage:
    @pytest.fixture
    def features(self, taxonomy: Taxonomy, tmp_path: Path) -> FeatureSet:
        return extract(taxonomy, tiny.FEATURES, tmp_path)[0]

    @pytest.mark.parametrize("content", [b"", b"\x93NUMPY\x01", b"nothing"])
    def test_a_damaged_array_is_one_line(self, features: FeatureSet, content: bytes) -> None:
        (features.path / "features.npy").write_bytes(content)
        with pytest.raises(DataError, match=r"features\.npy cannot be read \(.*\); delete its"):
            features.open()

    @pytest.mark.parametrize("content", ["", "{}", "[]", '{"feature_set_id": 1}'])
    def test_a_damaged_description_is_one_line(
        self, features: FeatureSet, taxonomy: Taxonomy, content: str
    ) -> None:
        (features.path / "feature_set.json").write_text(content)
        with pytest.raises(DataError, match="holds no whole feature set: "):
            extract(taxonomy, tiny.FEATURES, features.path.parent)

    def test_a_folder_without_description_is_made_anew(
        self, features: FeatureSet, taxonomy: Taxonomy
    ) -> None:
        (features.path / "feature_set.json").unlink()
        again, made = extract(taxonomy, tiny.FEATURES, features.path.parent)
        assert made
        assert again.sha256 == features.sha256
        assert json.loads((again.path / "feature_set.json").read_text())["sha256"] == again.sha256
