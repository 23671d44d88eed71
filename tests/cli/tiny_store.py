"""A store with the tiny dataset and two manifests, and a tiny LM beside it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from typer.testing import CliRunner, Result

from cli.main import app
from tests.xmodal import tiny
from xmodal.store import Store


@dataclass(frozen=True)
class Tiny:
    """Paths and ids that the commands need."""

    store: Path
    lm: Path
    manifests: tuple[str, ...]

    def call(self, *arguments: str | Path) -> Result:
        """Run a command on this store."""
        text = [*map(str, arguments), "--store", str(self.store)]
        return CliRunner().invoke(app, text)

    def train(self, *more: str, manifest: int = 0) -> Result:
        """The recipe for pictures in small, unless told otherwise."""
        recipe = () if "--recipe" in more else ("--recipe", "embedded")
        given = ("--manifest", self.manifests[manifest], "--lm", self.lm, *recipe, *more)
        return self.call("train", *given)

    def below(self) -> set[str]:
        """Names of everything beside the store."""
        return {path.name for path in self.store.parent.iterdir()}

    def copy(self, folder: Path) -> Tiny:
        """The store alone, copied to a folder of its own."""
        path = Path(shutil.copy(self.store, folder / "x.duckdb"))
        return Tiny(path, self.lm, self.manifests)


def make(folder: Path) -> Tiny:
    taxonomy = tiny.taxonomy(folder / "pictures")
    manifests = [tiny.manifest(taxonomy, ratio=ratio) for ratio in (1.0, 0.5)]
    (folder / "store").mkdir()
    path = folder / "store" / "x.duckdb"
    with Store.open(path) as store:
        store.add_taxonomy(taxonomy)
        for manifest in manifests:
            store.add_manifest(manifest)
    lm = tiny.save_lm(folder / "lm")
    return Tiny(path, lm, tuple(manifest.manifest_id for manifest in manifests))
