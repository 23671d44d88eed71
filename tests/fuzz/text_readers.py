"""Readers of what a user gives: tables, lists, chat files, captions, pictures, WordNet."""

from __future__ import annotations

import functools
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
from PIL import Image

from taxonomy.interchange import (
    SIDECAR,
    Layout,
    chat_files,
    find_files,
    infer_manifest,
    manifest_of,
    read_sidecar,
    read_turns,
    sidecar,
)
from taxonomy.manifest.build import build_manifest
from taxonomy.manifest.world import World, read_world
from taxonomy.model import ManifestConfig, Taxonomy, TaxonomyConfig
from taxonomy.reading import read_text
from taxonomy.relations.table import read_table
from taxonomy.selection import read_hypernyms
from taxonomy.separation import nouns as separation_nouns
from taxonomy.sources.csv_source import read_csv
from taxonomy.sources.imagefolder import read_imagefolder
from taxonomy.sources.things import read_things
from taxonomy.sources.wordnet_list import read_synsets
from taxonomy.wordnet import WordNet, find_folder
from tests.fuzz import wordnet as nouns_files
from tests.fuzz.case import Reader
from tests.fuzz.damage import to_parquet
from tests.xmodal.stats.test_plan import PLAN
from tests.xmodal.store import world
from xmodal.align.caption_files import caption_source
from xmodal.align.caption_record import Record
from xmodal.align.class_lists import read_class_list
from xmodal.align.class_names import read_class_names
from xmodal.align.winoground import read_winoground
from xmodal.alignments.capabilities import read_capabilities
from xmodal.alignments.texts import read_texts
from xmodal.binding.stages import read_stages
from xmodal.features.pictures import picture_of
from xmodal.probe.pairs import read_pairs
from xmodal.released.grids import read_grid
from xmodal.stats.plan import parse_plan

CSV = TaxonomyConfig(source="csv", min_leaves=1)
THINGS = TaxonomyConfig(source="things", min_leaves=1, pairs="categories")
FOLDER = TaxonomyConfig(source="imagefolder", min_leaves=1, pairs="strict")
LEAVES = {"parrot": "bird", "owl": "bird", "saw": "tool", "axe": "tool"}


@functools.cache
def tiny_nouns(folder: Path) -> WordNet:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in nouns_files.files().items():
        (folder / name).write_bytes(content)
    return WordNet(find_folder(folder))


@functools.cache
def dataset() -> Taxonomy:
    return world.with_images(world.taxonomy(), 3)


@functools.cache
def concepts() -> World:
    return read_world(dataset())


def picture(colour: int, kind: str = "PNG") -> bytes:
    sink = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.new("RGB", (4, 3), (colour, 9, 200))
    image.save(sink, kind, **({"exif": exif} if kind in ("JPEG", "PNG", "WEBP", "TIFF") else {}))
    return sink.getvalue()


def lines(*rows: str) -> bytes:
    return "\n".join(rows).encode() + b"\n"


def in_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def table_files() -> dict[str, bytes]:
    rows = [
        f"{leaf},{leaf}{k}.png,{above},{leaf}.n.01,{split},g{k}"
        for leaf, above in LEAVES.items()
        for k, split in enumerate(("train", "test"))
    ]
    pictures = {
        f"{leaf}{k}.png": picture(20 * n + k) for n, leaf in enumerate(LEAVES) for k in range(2)
    }
    edges = lines("hyponym,hypernym", "bird,animal")
    head = "leaf,image,hypernym,synset,split,group"
    return {"t.csv": lines(head, *rows), "edges.csv": edges, **pictures}


def things_files() -> dict[str, bytes]:
    words = [f"{leaf}\t{leaf}\t{leaf}.n.01" for leaf in LEAVES]
    return {
        "concepts.tsv": lines("Word\tuniqueID\tWordnet ID4", *words),
        "categories.tsv": lines("category\tuniqueID", "animal\tparrot", "animal\towl"),
        "leaves.csv": lines("uniqueID,why", "parrot,x", "owl,y", "saw,z"),
        "leaves.jsonl": lines('{"leaf": "parrot"}', '{"hyponym": "owl"}', '{"leaf": "saw"}'),
        "hypernyms.txt": lines("# asked", "animal"),
    }


def folder_files() -> dict[str, bytes]:
    kinds = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")
    return {
        f"{leaf}/{k}.{kind.lower()}": picture(40 * n + 3 * k, kind)
        for n, leaf in enumerate(("parrot", "saw"))
        for k, kind in enumerate(kinds)
    }


@functools.cache
def chat() -> dict[str, bytes]:
    of = dataset()
    made = build_manifest(of, ManifestConfig(ratio=0.5))
    layout = Layout()
    files = {name: in_json(value) for name, value in chat_files(of, made, layout).items()}
    return files | {SIDECAR: in_json(sidecar(made, layout))}


def read_chat(folder: Path) -> object:
    turns = read_turns(find_files(folder))
    return infer_manifest(dataset(), concepts(), turns, aliases={})


def read_exported(folder: Path) -> object:
    return manifest_of(read_sidecar(folder / SIDECAR), dataset(), folder)


def shard() -> bytes:
    sink = io.BytesIO()
    members = {
        "0.jpg": picture(1, "JPEG"), "0.txt": b"a parrot", "1.png": picture(2),
        "1.json": b'{"Caption": "an owl"}',
    }  # fmt: skip
    with tarfile.open(fileobj=sink, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.pax_headers = len(content), {"comment": "é" * 3}
            tar.addfile(info, io.BytesIO(content))
    return sink.getvalue()


def read_captions(name: str) -> Callable[[Path], object]:
    """Every record and its picture."""

    def read(folder: Path) -> object:
        found = []
        for record in caption_source(folder / name).records():
            found.append((record.key.encode(), record.caption.encode()))
            if record.picture is not None:
                picture_of(record.read(), record.name)
        return found

    return read


def caption_table() -> bytes:
    images = [{"bytes": picture(k), "path": None} for k in range(3)]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    columns = {"caption": ["a", "b", "c"], "image": pa.array(images, kind)}
    return to_parquet(pa.table(columns))


def path_table() -> bytes:
    return to_parquet(pa.table({"text": ["a", "b"], "image_path": ["0.png", "1.png"]}))


def examples() -> list[dict[str, Any]]:
    return [
        {"id": k, "image_0": "a", "image_1": "b.png", "caption_0": "x y", "caption_1": "y x",
         "tag": "Object"}
        for k in range(2)
    ]  # fmt: skip


def class_rows() -> dict[str, list[str]]:
    return {
        "class": ["parrot", "leaf/ruby", "saw"], "name": ["p", "r", "s"],
        "language": ["de", "de", "de"], "phrase": ["ein p", "ein r", "ein s"],
    }  # fmt: skip


def as_csv(columns: dict[str, list[str]]) -> bytes:
    rows = zip(*columns.values(), strict=True)
    return lines(",".join(columns), *(",".join(row) for row in rows))


def minimal_pairs() -> bytes:
    rows = [("parrot", "bird", "gem"), ("ruby", "gem", "tool"), ("saw", "tool", "bird")]
    return lines(
        *(
            json.dumps({
                "hyponym": leaf, "hypernym_pos": true, "hypernym_neg": false, "phrasing_id": 1,
                "sentence_pos": f"a {leaf} is a {true}", "sentence_neg": f"a {leaf} is a {false}",
            })
            for leaf, true, false in rows
        )
    )  # fmt: skip


def relation_rows() -> bytes:
    return lines(
        "concept,relation,target,phrase,question,answer",
        "parrot,part,wing,a wing,Has it {phrase}?,yes",
        "bird,part,beak,,,unclear",
    )


def stages() -> bytes:
    return in_json([{"name": "a", "n_steps": 3, "lessons": {"pairs": 1.0}, "expanded": True}])


# without the cache: a case's folder has the name of the one before
read_all = separation_nouns._read.__wrapped__


def all_nouns(folder: Path) -> object:
    found = WordNet(find_folder(folder))
    names = [name for noun in nouns_files.NOUNS for name in found.senses(noun)]
    return [
        (found.parents(n), found.ancestors(n), found.lemmas(n), found.gloss(n), found.depth(n))
        for n in names
    ], read_all(found.folder, "3.0")


def text_readers(home: Path) -> list[Reader]:
    """Readers of users' files; home is a folder for a WordNet that stays."""
    nouns = tiny_nouns(home / "nouns")
    table, things, several = table_files(), things_files(), folder_files()
    pictures = {f"{k}.png": picture(k) for k in range(2)}
    shown = {"images/a.png": picture(1), "images/b.png": picture(2)}
    classes, of = class_rows(), dataset()

    def every_picture(folder: Path) -> object:
        records = (Record(folder, name, "", folder / name) for name in several)
        return [picture_of(record.read(), record.name) for record in records]

    rows = [
        ("csv", table, {"t.csv": "csv", "edges.csv": "csv", "owl1.png": "text"},
         lambda f: read_csv(CSV, nouns, f / "t.csv", edges_path=f / "edges.csv"),
         "taxonomy.sources.csv_table:_row"),
        ("things", things, {"concepts.tsv": "csv", "categories.tsv": "csv", "leaves.csv": "csv"},
         lambda f: read_things(THINGS, nouns, f / "concepts.tsv", f / "categories.tsv",
                               leaves_path=f / "leaves.csv"),
         "taxonomy.sources.things:clean"),
        ("leaves", things, {"leaves.jsonl": "jsonl", "hypernyms.txt": "text"},
         lambda f: read_things(THINGS, nouns, f / "concepts.tsv", f / "categories.tsv",
                               leaves_path=f / "leaves.jsonl", hypernyms_path=f / "hypernyms.txt"),
         "taxonomy.sources.things:parse_json"),
        ("hypernyms", {"h.txt": lines("bird", "tool = tool.n.01")}, {"h.txt": "text"},
         lambda f: read_hypernyms(f / "h.txt", {w: f"{w}.n.01" for w in LEAVES}, nouns, "drop"),
         "taxonomy.selection:read_lines"),
        ("synsets", {"s.txt": lines("parrot.n.01", "saw.n.01")}, {"s.txt": "text"},
         lambda f: read_synsets(FOLDER, nouns, f / "s.txt"),
         "taxonomy.sources.wordnet_list:read_lines"),
        ("imagefolder", several, dict.fromkeys(several, "text"),
         lambda f: read_imagefolder(FOLDER, nouns, f),
         "taxonomy.sources.folder_pictures:check_header"),
        ("pictures", several, dict.fromkeys(several, "text"), every_picture,
         "xmodal.features.pictures:upright"),
        ("wordnet", nouns_files.files(), {"data.noun": "text", "index.noun": "text"}, all_nouns,
         "taxonomy.separation.nouns:_lines"),
        ("relations", {"r.csv": relation_rows()}, {"r.csv": "csv"},
         lambda f: read_table(f / "r.csv", of), "taxonomy.relations.table:_row"),
        ("chat", {k: v for k, v in chat().items() if k != SIDECAR},
         {"chat.json": "json", "test.json": "json", "validation.json": "json"}, read_chat,
         "taxonomy.interchange.reading:_value"),
        ("exported", chat(), {SIDECAR: "json", "chat.json": "json"}, read_exported,
         "taxonomy.interchange.sidecar:_table"),
        ("caption-table", {"c.parquet": caption_table()}, {"c.parquet": "parquet"},
         read_captions("c.parquet"), "xmodal.align.caption_files:_cell"),
        ("caption-paths", {"c.parquet": path_table(), **pictures},
         {"c.parquet": "parquet", "0.png": "text"}, read_captions("c.parquet"),
         "xmodal.align.caption_files:clean"),
        ("caption-shard", {"c.tar": shard()}, {"c.tar": "text"}, read_captions("c.tar"),
         "xmodal.align.caption_shards:_split"),
        ("caption-json",
         {"c.json": in_json([{"id": "q", "image": "0.png", "conversations": [
             {"from": "human", "value": "?"}, {"from": "gpt", "value": "a"}]},
             {"id": 3, "image": "1.png", "caption": "b"}]), **pictures},
         {"c.json": "json"}, read_captions("c.json"), "xmodal.align.caption_files:_said"),
        ("winoground-lines",
         {"examples.jsonl": lines(*(json.dumps(one) for one in examples())), **shown},
         {"examples.jsonl": "jsonl", "images/a.png": "text"}, read_winoground,
         "xmodal.align.winoground:_image"),
        ("winoground-table",
         {"w.parquet": to_parquet(pa.Table.from_pylist(
             [one | {"image_0": picture(1), "image_1": picture(2)} for one in examples()]))},
         {"w.parquet": "parquet"}, lambda f: read_winoground(f / "w.parquet"),
         "xmodal.align.winoground:_example"),
        ("class-names", {"n.csv": as_csv(classes)}, {"n.csv": "csv"},
         lambda f: read_class_names(f / "n.csv", of), "xmodal.align.class_names:resolve"),
        ("class-names-table", {"n.parquet": to_parquet(pa.table(classes))},
         {"n.parquet": "parquet"},
         lambda f: read_class_names(f / "n.parquet", of), "xmodal.align.class_lists:_parquet"),
        ("class-list", {"n.txt": lines("parrot", "saw # x")}, {"n.txt": "text"},
         lambda f: read_class_list(f / "n.txt", of), "xmodal.align.class_lists:resolve"),
        ("pairs", {"p.jsonl": minimal_pairs()}, {"p.jsonl": "jsonl"},
         lambda f: read_pairs(concepts(), f / "p.jsonl"), "xmodal.probe.pairs:_row"),
        ("texts", {"t.txt": lines("a", "b")}, {"t.txt": "text"},
         lambda f: read_texts(f / "t.txt"), "xmodal.alignments.texts:read_text"),
        ("texts-table", {"t.parquet": to_parquet(pa.table({"text": ["a", "b"]}))},
         {"t.parquet": "parquet"}, lambda f: read_texts(f / "t.parquet"),
         "xmodal.alignments.texts:_column"),
        ("capabilities", {"c.csv": lines("lm,capability,value,source", "a,b,0.5,c")},
         {"c.csv": "csv"}, lambda f: read_capabilities(f / "c.csv"),
         "xmodal.alignments.capabilities:_row"),
        ("capabilities-table",
         {"c.parquet": to_parquet(pa.table({"lm": ["a"], "capability": ["b"], "value": [0.5]}))},
         {"c.parquet": "parquet"}, lambda f: read_capabilities(f / "c.parquet"),
         "xmodal.alignments.capabilities:_number"),
        ("released", {"g.csv": lines("run_name,a,b", "r1,0.5,", "r2,1,0")}, {"g.csv": "csv"},
         lambda f: read_grid(f / "g.csv", high=1.0), "xmodal.released.grids:number"),
        ("stages", {"s.json": stages()}, {"s.json": "json"},
         lambda f: read_stages(f / "s.json"), "xmodal.binding.stages:record_of"),
        ("plan", {"p.toml": PLAN.format(manifest="m").encode()}, {"p.toml": "text"},
         lambda f: parse_plan(read_text(f / "p.toml"), "p.toml"), "xmodal.stats.plan:_settings"),
    ]  # fmt: skip
    return [
        Reader(name=name, files=files, kinds=kinds, read=read, planted=planted)
        for name, files, kinds, read, planted in rows
    ]
