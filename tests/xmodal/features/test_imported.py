"""Features from elsewhere: what ids name, what is refused, what is stored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from taxonomy.errors import ConfigError, DataError
from taxonomy.model import Taxonomy
from tests.xmodal import tiny
from xmodal.features.imported import import_features

N = 35


@pytest.fixture(scope="module")
def taxonomy(tmp_path_factory: pytest.TempPathFactory) -> Taxonomy:
    return tiny.taxonomy(tmp_path_factory.mktemp("imported"))


def keys(of: Taxonomy, by: str) -> list[str]:
    uris = of.images["uri"].to_pylist()
    if by == "name":
        return [Path(uri).name for uri in uris]
    return uris if by == "uri" else of.images["sha256"].to_pylist()  # type: ignore[no-any-return]


def numbers(shape: tuple[int, ...]) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(2))


def write(path: Path, features: torch.Tensor, ids: list[str] | None) -> Path:
    if path.suffix == ".npz":
        named = {} if ids is None else {"ids": np.array(ids)}
        np.savez_compressed(path, features=features.numpy(), **named)
    else:
        said = None if ids is None else {"ids": json.dumps(ids)}
        save_file({"features": features.contiguous()}, path, metadata=said)
    return path


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
@pytest.mark.parametrize("by", ["sha256", "uri", "name"])
@pytest.mark.parametrize("shape", [(N, 6), (N, 4, 6)])
@pytest.mark.parametrize("asked", [True, False])
def test_rows_go_to_the_pictures_their_ids_name(
    taxonomy: Taxonomy, tmp_path: Path, suffix: str, by: str, shape: tuple[int, ...], asked: bool
) -> None:
    order = np.random.default_rng(1).permutation(N)
    made = numbers(shape)
    ids = keys(taxonomy, by)
    path = write(tmp_path / f"f{suffix}", made[order], [ids[i] for i in order])
    features, new, known_by = import_features(
        taxonomy, path, tmp_path / "out", name="mine", by=by if asked else None
    )
    assert (new, known_by) == (True, by)
    want = made.reshape(N, -1, 6)
    assert torch.equal(features.take(np.arange(N)), want)
    config = features.config
    assert (config.encoder, config.pooling, config.n_views) == ("mine", "given", 1)
    assert features.rows(np.arange(N), np.full(N, 3)).tolist() == list(range(N))


def test_ids_from_a_text_file(taxonomy: Taxonomy, tmp_path: Path) -> None:
    path = write(tmp_path / "f.safetensors", numbers((N, 6)), None)
    (tmp_path / "ids.txt").write_text("\n".join(keys(taxonomy, "name")) + "\n")
    features, _, _ = import_features(
        taxonomy, path, tmp_path / "out", name="mine", ids=tmp_path / "ids.txt"
    )
    assert torch.equal(features.take(np.arange(N))[:, 0], numbers((N, 6)))


@pytest.mark.parametrize("kind", [torch.float16, torch.float64, torch.bfloat16])
def test_any_float_becomes_float32(taxonomy: Taxonomy, tmp_path: Path, kind: torch.dtype) -> None:
    made = numbers((N, 6)).to(kind)
    path = write(tmp_path / "f.safetensors", made, keys(taxonomy, "uri"))
    features, _, _ = import_features(taxonomy, path, tmp_path / "out", name="mine")
    assert torch.equal(features.take(np.arange(N))[:, 0], made.float())


def test_the_id_is_of_content_and_name(taxonomy: Taxonomy, tmp_path: Path) -> None:
    ids = keys(taxonomy, "name")
    path = write(tmp_path / "a.npz", numbers((N, 6)), ids)
    other = write(tmp_path / "b.safetensors", numbers((N, 6)).flip(0), ids[::-1])

    def made(path: Path, **given: Any) -> tuple[str, bool]:
        features, new, _ = import_features(
            taxonomy, path, tmp_path / "out", **({"name": "mine"} | given)
        )
        return features.feature_set_id, new

    first, new = made(path)
    assert new
    assert made(other) == (first, False)
    assert made(path, name="yours")[0] != first
    assert made(path, dtype="bfloat16")[0] != first
    assert {p.name[0] for p in (tmp_path / "out").iterdir()} <= set("0123456789abcdef")


def test_training_pictures_come_along(taxonomy: Taxonomy, tmp_path: Path) -> None:
    hashes = keys(taxonomy, "sha256")
    path = write(tmp_path / "f.npz", numbers((N, 6)), hashes)
    (tmp_path / "seen.txt").write_text("\n".join(hashes[:3]))
    features, _, _ = import_features(
        taxonomy, path, tmp_path / "out", name="mine", trained_on=tmp_path / "seen.txt"
    )
    assert features.training_pictures == frozenset(hashes[:3])


class TestRefused:
    def refused(self, of: Taxonomy, path: Path, match: str, **given: Any) -> None:
        out = path.parent / "out"
        with pytest.raises((DataError, ConfigError), match=match) as caught:
            import_features(of, path, out, **({"name": "mine"} | given))
        assert "\n" not in str(caught.value)
        assert not out.exists()

    def test_ids(self, taxonomy: Taxonomy, tmp_path: Path) -> None:
        ids, path = keys(taxonomy, "name"), tmp_path / "f.npz"
        hen, owl = ids[0], ids[1]

        def wrong(n: int, changed: list[str], match: str, **given: Any) -> None:
            self.refused(taxonomy, write(path, numbers((n, 6)), changed), match, **given)

        wrong(N - 1, ids[1:], f"lacks 1 of 35 pictures of dataset .* name '{hen}'$")
        wrong(N, [owl, *ids[1:]], f"has ids more than once, such as '{owl}'$")
        wrong(N + 1, [*ids, "x"], "1 ids that are the name of no picture of dataset .*'x'$")
        wrong(N, ["x", *ids[1:]], "id 'x' of .* is no picture of dataset .*: ids must be its")
        wrong(N, ids, "35 ids that are the uri of no picture", by="uri")
        wrong(N, ids, "by must be one of sha256, uri, name, got 'path'", by="path")
        wrong(N, ids[1:], "has 35 rows, got 34 ids for them$")
        self.refused(taxonomy, write(path, numbers((N, 6)), None), "names no pictures: give --ids")

    def test_a_name_of_two_pictures(self, taxonomy: Taxonomy, tmp_path: Path) -> None:
        from dataclasses import replace

        rows = taxonomy.images.to_pylist()
        rows[4]["uri"] = "/elsewhere/" + Path(rows[3]["uri"]).name
        two = replace(
            taxonomy, images=taxonomy.images.from_pylist(rows, schema=taxonomy.images.schema)
        )
        names = list(dict.fromkeys(keys(two, "name")))
        path = write(tmp_path / "f.npz", numbers((N - 1, 6)), names)
        self.refused(two, path, "2 pictures of dataset .* are named .*: give uris or sha256")

    def test_numbers(self, taxonomy: Taxonomy, tmp_path: Path) -> None:
        ids, path = keys(taxonomy, "name"), tmp_path / "f.npz"
        odd = numbers((N, 6))
        odd[7, 2] = float("nan")
        self.refused(taxonomy, write(path, odd, ids), f"picture .*{ids[7]} must be finite")
        self.refused(
            taxonomy, write(path, numbers((N,)), ids), r"must be \[N, Dv\] or .*, got \[35\]$"
        )
        whole = torch.ones(N, 6, dtype=torch.int64)
        self.refused(taxonomy, write(path, whole, ids), "floating-point numbers, got int64$")

    def test_files(self, taxonomy: Taxonomy, tmp_path: Path) -> None:
        path = tmp_path / "f.npz"
        path.write_bytes(b"nothing")
        self.refused(taxonomy, path, "f.npz cannot be read: ")
        self.refused(taxonomy, tmp_path / "none.safetensors", "none.safetensors cannot be read: ")
        self.refused(taxonomy, tmp_path / "f.csv", r"must end in \.npz or \.safetensors$")
        np.savez(path, other=np.zeros(3))
        self.refused(taxonomy, path, "f.npz has no array 'features', but other")
        np.savez(path, features=np.array([object()] * N), ids=np.array(keys(taxonomy, "uri")))
        self.refused(taxonomy, path, "cannot be read: its header is not one that NumPy writes")
        write(path, numbers((N, 6)), keys(taxonomy, "uri"))
        (tmp_path / "seen.txt").write_text("abc\n")
        self.refused(
            taxonomy, path, "must hold one sha256 a line, got 'abc'$",
            trained_on=tmp_path / "seen.txt",
        )  # fmt: skip
        self.refused(taxonomy, path, "name must not be empty", name=" ")
