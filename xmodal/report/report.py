"""`xmodal report`: one page that tells the experiment, whole in one file."""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import vl_convert as vlc
from markupsafe import Markup

from taxonomy.errors import ConfigError, DataError, StoreError
from xmodal.bundle.pictures import load_pictures
from xmodal.features.pictures import BUNDLE
from xmodal.files import make_folder, write_whole
from xmodal.report.facts.conditions import Chosen, choose
from xmodal.report.facts.dataset import images
from xmodal.report.page import environment, part
from xmodal.report.page.contents import N_EACH, N_SAMPLES, cards_of, contents, picture_ids
from xmodal.report.pictures import Thumbnail, small_copy
from xmodal.store import Store

Row = dict[str, Any]

PAGE = "index.html"
GENERATOR = "xmodal report"
MAX_MB = 15.0
_STEPS = ((N_SAMPLES, N_EACH), (6, 4), (6, 3), (6, 2), (4, 2), (3, 1), (2, 0), (0, 0))
"""Sample pictures of a hypernym, and answers of each kind: the first with which the page fits."""


def write_report(
    path: Path,
    folder: Path,
    *,
    dataset: str | None = None,
    runs: Sequence[str] = (),
    where: Mapping[str, str] | None = None,
    title: str | None = None,
    max_mb: float = MAX_MB,
) -> tuple[Path, int]:
    """Write the page of a store.

    Args:
        path: The store.
        folder: Where index.html goes: missing, empty, or with an earlier report.
        dataset: Id of a dataset or its beginning; the latest if None.
        runs: Ids or beginnings: the conditions of these runs alone.
        where: Column of a condition to value: the conditions that have them.
        title: Of the page.
        max_mb: Megabytes (10^6 bytes) of the page, at most.

    Returns:
        The page and its size in bytes.

    Raises:
        ConfigError: An unknown column or value, or a page that does not fit.
        StoreError: No such store, run or dataset, or a store without finished runs.
        DataError: A folder with other things in it, or that cannot be written.
    """
    if not max_mb > 0:
        raise ConfigError(f"--max-mb must be above 0, got {max_mb:g}")
    _check_folder(folder)
    with Store.open(path, read_only=True) as store:
        page = report_page(
            store, dataset=dataset, runs=runs, where=where, title=title, max_mb=max_mb
        )
    make_folder(folder, "written to")
    content = page.encode()
    try:
        write_whole(folder / PAGE, lambda new: new.write_bytes(content))
    except OSError as error:
        raise DataError(f"{folder / PAGE} cannot be written: {error.strerror}") from error
    return folder / PAGE, len(content)


def report_page(
    store: Store,
    *,
    dataset: str | None = None,
    runs: Sequence[str] = (),
    where: Mapping[str, str] | None = None,
    title: str | None = None,
    max_mb: float = MAX_MB,
) -> str:
    """The page of an open store; the same text for the same rows and picture files.

    Args:
        store: Open, to read.
        dataset: As in write_report, with the others.
        runs: Ids or beginnings.
        where: Column to value.
        title: Of the page.
        max_mb: Megabytes at most.

    Raises:
        ConfigError: An unknown column or value, or a page that does not fit.
        StoreError: No such run or dataset, or a store without finished runs.
    """
    chosen = choose(store, dataset, runs, where)
    if not chosen.own and not chosen.released:
        of = f" of dataset {chosen.dataset_id}" if chosen.dataset_id else ""
        raise StoreError(
            f"{store.path} holds no finished run with answers{of}: `xmodal train` makes one, "
            "`xmodal import s1 PATH` reads the paper's"
        )
    filled = contents(store, chosen)
    filled |= _about(store, filled, title, runs, where)
    small: dict[int, Thumbnail] = {}
    text = ""
    for n_samples, n_each in _STEPS:
        rows, shown = _shown(store, chosen, picture_ids(filled, n_samples, n_each), small)
        text = _rendered(filled, rows, shown, n_samples, n_each)
        if len(text.encode()) <= max_mb * 1e6:
            return text
    raise ConfigError(
        f"the page has {len(text.encode()) / 1e6:.1f} MB without any picture, more than "
        f"--max-mb {max_mb:g}: allow more, or choose fewer runs with --run or --where"
    )


def _check_folder(folder: Path) -> None:
    """Refuse a folder that holds anything but an earlier report."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise DataError(f"--output must be a folder, got the file {folder}")
    try:
        held = sorted(one.name for one in folder.iterdir())
        head = (folder / PAGE).read_bytes()[:4096] if PAGE in held else b""
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror}") from error
    others = [name for name in held if name != PAGE]
    if PAGE in held and f'content="{GENERATOR}"'.encode() not in head:
        others.append(PAGE)
    if others:
        raise DataError(
            f"{folder} holds something else than a report ({', '.join(others[:3])}): give an empty "
            "or a new folder"
        )


@functools.cache
def _vega() -> Markup:
    """Vega, Vega-Lite and Vega-Embed as one script; bundling them takes seconds."""
    return _inline(vlc.javascript_bundle())  # type: ignore[call-arg]  # may be left out


def _about(
    store: Store,
    filled: Row,
    title: str | None,
    runs: Sequence[str],
    where: Mapping[str, str] | None,
) -> Row:
    n_all = store.analysis("sources").num_rows
    narrowed = [f"run {run}" for run in runs]
    narrowed += [f"{name} {value}" for name, value in (where or {}).items()]
    return {
        "title": title or "What a frozen language model knows about pictures",
        "narrowed": ", ".join(narrowed),
        "n_runs_all": n_all,
        "version": version("xmodal"),
        "generator": GENERATOR,
        "vega": _vega() if filled["figures"] else "",
        "script": _inline(part("script.js")),
        "style": _inline(part("style.css")),
    }


def _shown(
    store: Store, chosen: Chosen, ids: Sequence[int], small: dict[int, Thumbnail]
) -> tuple[dict[int, Row], dict[int, Thumbnail]]:
    """Rows and small copies of images; copies that are made are kept in `small`."""
    if chosen.dataset_id is None:
        return {}, {}
    rows = images(store, chosen.dataset_id, ids)
    for image_id, row in rows.items():
        if image_id not in small:
            small[image_id] = small_copy(row["uri"], row["sha256"])
    return rows, {image_id: small[image_id] for image_id in rows}


def _rendered(
    filled: Row,
    rows: Mapping[int, Row],
    shown: Mapping[int, Thumbnail],
    n_samples: int,
    n_each: int,
) -> str:
    encoded = {
        str(image_id): base64.b64encode(one.content).decode()
        for image_id, one in shown.items()
        if one.content is not None
    }
    scripts = [filled["script"], *([filled["vega"]] if filled["figures"] else [])]
    return (
        environment()
        .get_template("report.html")
        .render(
            filled,
            cards=cards_of(filled, n_each),
            images=rows,
            thumbnails=shown,
            encoded=encoded,
            n_pictures=len(encoded),
            n_gaps=len(shown) - len(encoded),
            n_samples=n_samples,
            n_each=n_each,
            n_each_most=N_EACH,
            csp=policy(scripts),
            notices=_notices(row["uri"] for row in rows.values()),
        )
    )


def policy(scripts: Iterable[str]) -> str:
    """A Content-Security-Policy that lets a page run these scripts and reach nothing.

    Charts are drawn by Vega's interpreter (`ast` in script.js), which needs no unsafe-eval.
    """
    hashes = [
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for text in scripts
    ]
    return (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src {' '.join(hashes)}; base-uri 'none'; form-action 'none'"
    )


def _inline(text: str) -> Markup:
    """The project's and the chart library's own text, as it is, where nothing can end it early."""
    assert "</script" not in text.lower()
    assert "</style" not in text.lower()
    assert "<!--" not in text
    return Markup(text)


def _notices(uris: Iterable[str]) -> str:
    """Who made the pictures of the package that are shown, and their licences."""
    rows = sorted(int(uri.removeprefix(BUNDLE)) for uri in uris if uri.startswith(BUNDLE))
    if not rows:
        return ""
    table = load_pictures().select(["attribution", "license"])
    rows = [row for row in rows if row < table.num_rows]
    made = {(one["attribution"], one["license"]) for one in table.take(rows).to_pylist()}
    return (
        "Pictures, made smaller: " + "; ".join(f"{who} ({how})" for who, how in sorted(made)) + "."
    )
