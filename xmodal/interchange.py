"""Stored manifests to files that LLaVA- and Prismatic-style code reads, and such files to a store.

Folders appear whole or not at all, and nothing is stored before everything has been read.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from taxonomy.errors import ConfigError, DataError, StoreError, unknown
from taxonomy.interchange import (
    SIDECAR,
    Layout,
    chat_files,
    find_files,
    image_paths,
    infer_manifest,
    manifest_of,
    read_sidecar,
    read_turns,
    sidecar,
)
from taxonomy.manifest.world import read_world
from taxonomy.model import RELATION, Manifest, Taxonomy, one_of
from taxonomy.reading import short
from taxonomy.relations.relation import question_text
from taxonomy.sources.things_lists import categories
from xmodal.bundle.pictures import load_pictures
from xmodal.files import make_folder
from xmodal.store import Store
from xmodal.store.derived import write_examples
from xmodal.store.designs import stored_row
from xmodal.vlm.prompts import prompt_template

PARQUET = "parquet"
FORMATS = ("llava-json", PARQUET)
BUNDLE = "bundle:"


def export_manifest(
    store: Path,
    manifest_id: str,
    output: Path,
    *,
    fmt: str = "llava-json",
    per: str = "question",
    images: str = "none",
) -> str:
    """Write a stored manifest as chat.json, validation.json, test.json and manifest.json.

    Args:
        store: The DuckDB file.
        manifest_id: Id of a manifest, or its beginning.
        output: A folder that is not there yet, or empty.
        fmt: llava-json, or parquet for the questions alone, as the table example has them.
        per: An entry a question, or an image.
        images: none, or copy the pictures under images/.

    Returns:
        One line that says what was written.

    Raises:
        ConfigError: A setting is none of those.
        StoreError: No such store or manifest.
        DataError: The folder holds something, or a picture is missing or another.
    """
    one_of("format", fmt, FORMATS)
    if fmt == PARQUET:
        return _export_rows(store, manifest_id, output, per, images)
    with Store.open(store, read_only=True) as opened:
        manifest = opened.load_manifest(manifest_id)
        taxonomy = opened.load_taxonomy(manifest.dataset_id)
    layout = Layout(per=per, images=images, **_question_texts(taxonomy, manifest.config.relation))
    files = chat_files(taxonomy, manifest, layout)
    with _new_folder(output) as made:
        for name, value in {**files, SIDECAR: sidecar(manifest, layout)}.items():
            (made / name).write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
        n_pictures = _copy_pictures(taxonomy, manifest, layout, made) if images == "copy" else 0
    counts = ", ".join(f"{len(entries)} entries in {name}" for name, entries in files.items())
    pictures = (
        f"{n_pictures} pictures copied to images/, by which the entries name them"
        if images == "copy"
        else "the entries name pictures by their paths on this machine or bundle:<row>; with "
        "--images copy the folder can be moved"
    )
    return f"manifest {manifest.manifest_id} to {output}: {counts}; {pictures}"


def _export_rows(store: Path, manifest_id: str, output: Path, per: str, images: str) -> str:
    """Write the questions of a manifest as Parquet, and say how many and how large they are."""
    if (per, images) != ("question", "none"):
        raise ConfigError("per and images go with format llava-json, got format parquet")
    with Store.open(store, read_only=True) as opened:
        found = stored_row(opened, manifest_id)["manifest_id"]
        with _new_folder(output) as made:
            write_examples(opened, found, made)
            files = sorted(made.rglob("*.parquet"))
            n_rows = sum(pq.read_metadata(file).num_rows for file in files)
            n_bytes = sum(file.stat().st_size for file in files)
    return (
        f"manifest {found} to {output}: {n_rows} questions in {len(files)} Parquet files, "
        f"{n_bytes} bytes; those of a leaf lie in one folder"
    )


def import_manifest(
    store: Path,
    source: Path,
    *,
    dataset_id: str | None = None,
    validation: Sequence[Path] = (),
    test: Sequence[Path] = (),
    seed: int | None = None,
    relation: str = RELATION,
    allow_outside: bool = False,
) -> Manifest:
    """Store the manifest that a folder of chat files, or one such file, shows.

    With the sidecar of an export beside it the manifest is the exported one. Without, its
    design is imported: see taxonomy.interchange.infer.

    Args:
        store: The DuckDB file.
        source: A folder with chat.json and test.json, or the file of the training questions.
        dataset_id: Whose images and concepts are meant; the sidecar's or the latest if None.
        validation: Further files of validation questions.
        test: Further files of test questions.
        seed: The seed the files were drawn with, if it is known; 0 stands for unknown.
        relation: What the hypernym questions of files without a sidecar ask.
        allow_outside: Look at pictures outside the chat files' folders too.

    Raises:
        DataError: A file cannot be read, or says what the dataset does not allow.
        ConfigError: An option that the sidecar answers already, or nothing to test with.
        StoreError: No such store or dataset.
    """
    if not source.exists():
        raise DataError(f"nothing at {source}: give a folder with chat.json, or such a file")
    options = {"--dataset": dataset_id, "--validation": validation, "--test": test, "--seed": seed}
    if source.is_dir() and (source / SIDECAR).is_file():
        for name, value in options.items():
            if value:
                raise ConfigError(
                    f"{name} is said by {source / SIDECAR} already: leave it out, or take that "
                    "file away to import the chat files as they are"
                )
        manifest = _exported(store, source)
    else:
        files = find_files(source, validation, test)
        with Store.open(store, read_only=True) as opened:
            taxonomy = opened.load_taxonomy(dataset_id)
        manifest = infer_manifest(
            taxonomy,
            read_world(taxonomy, relation),
            read_turns(files),
            aliases={said: c.word for c in categories() for said in c.released_as},
            seed=seed or 0,
            hypernym_question=_question_texts(taxonomy, relation)["hypernym_question"],
            relation=relation,
            allow_outside=allow_outside,
        )
    with Store.open(store) as opened:
        opened.add_manifest(manifest)
    return manifest


def _exported(store: Path, folder: Path) -> Manifest:
    said = read_sidecar(folder / SIDECAR)
    with Store.open(store, read_only=True) as opened:
        known = opened.datasets()["dataset_id"].to_pylist()
        if said["dataset_id"] not in known:
            raise StoreError(
                f"{folder / SIDECAR} belongs to a dataset that is not in {store}: "
                f"{unknown('dataset', short(said['dataset_id']), known)}"
            )
        taxonomy = opened.load_taxonomy(said["dataset_id"])
    return manifest_of(said, taxonomy, folder)


def _question_texts(taxonomy: Taxonomy, relation: str) -> dict[str, str]:
    """The questions of the default prompt, as settings of Layout."""
    prompt = prompt_template("default", relation, question_text(taxonomy, relation))
    asked = prompt.target_question or prompt.question
    return {"question": prompt.question, "hypernym_question": asked}


@contextmanager
def _new_folder(output: Path) -> Iterator[Path]:
    """A folder to fill, which becomes the output when all went well."""
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise DataError(f"{output} is there already: give a new or empty folder with --output")
    make_folder(output.parent, "the folder of an export")
    try:
        made = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent))
    except OSError as error:
        raise DataError(f"{output} cannot be made: {error.strerror}") from error
    try:
        yield made
        made.chmod(0o755)
        os.replace(made, output)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _copy_pictures(taxonomy: Taxonomy, manifest: Manifest, layout: Layout, folder: Path) -> int:
    """Write the picture of every image that is asked about, as the dataset knows its bytes."""
    asked = set(manifest.examples["image_id"].unique().to_pylist())
    paths = image_paths(taxonomy, layout)
    bundled: Any = None
    for row in taxonomy.images.to_pylist():
        if row["image_id"] not in asked:
            continue
        if row["uri"].startswith(BUNDLE):
            bundled = load_pictures()["png"] if bundled is None else bundled
            content = bundled[int(row["uri"].removeprefix(BUNDLE))].as_py()
        else:
            content = _content(row["uri"])
        if sha256(content).hexdigest() != row["sha256"]:
            raise DataError(
                f"picture {row['uri']} is not the one the dataset was built with: put it back, or "
                "export with --images none"
            )
        target = folder / paths[row["image_id"]]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return len(asked)


def _content(uri: str) -> bytes:
    try:
        return Path(uri).read_bytes()
    except OSError as error:
        raise DataError(
            f"picture {uri} cannot be read ({error.strerror}): put it back, or export with "
            "--images none"
        ) from error
