"""Reading what folders of results hold, and saying what is wrong with them."""

from __future__ import annotations

import stat
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import ValidationError

from taxonomy.errors import DataError, one_line
from taxonomy.reading import parse_json, short
from xmodal.files import LOCK
from xmodal.files import file_sha256 as whole_sha256
from xmodal.parquet import DAMAGE, first_line
from xmodal.provenance import SETUP
from xmodal.seals import OWN, SEAL, fields_sha256, unsealed
from xmodal.store.rows import Row
from xmodal.tables import EVALUATION, EVALUATIONS

if TYPE_CHECKING:
    from xmodal.store.broken import BrokenFolders

R = TypeVar("R", bound=Row)

_MEND = "restore a copy, or delete the folder to make it anew"

METRIC = pa.schema(
    [
        pa.field("step", pa.int64(), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        pa.field("value", pa.float64(), nullable=False),
    ]
)


_KINDS = {"s2": "alignment", "s3": "decoder", "card": "card"}
"""Runs that are no projectors, by what run.json calls their experiment."""


class FolderError(Exception):
    """This folder cannot be used; the message says why, in one line."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class DamageError(FolderError):
    """Its files themselves are at fault: it stays so until they change."""


def kind_said(record: Mapping[str, Any]) -> str:
    """projector, alignment, decoder or card, as the record of a run says."""
    return _KINDS.get(str(record.get("experiment")), "projector")


def kind_of(folder: Path) -> str:
    """The kind of a run's folder; projector where it cannot be read: its reader says why."""
    try:
        return kind_said(read_json(folder / "run.json"))
    except FolderError:
        return "projector"


def read_json(path: Path) -> dict[str, Any]:
    """The object of a JSON file.

    Raises:
        DamageError: It is missing, cut, no object or no file of its folder.
    """
    check_own(path)
    try:
        content = parse_json(path.read_bytes(), path.name)
    except OSError as error:
        raise DamageError(f"{path.name} cannot be read: {error.strerror}") from error
    except DataError as error:
        raise DamageError(str(error)) from error
    if not isinstance(content, dict):
        raise DamageError(f"{path.name} must hold one object")
    return content


def check_own(path: Path) -> None:
    """Refuse what is no file of its folder: a link that leads out of it, a pipe, a device.

    Raises:
        DamageError: It is such a thing. A missing file is for who reads it to report.
    """
    try:
        regular = stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return
    if not regular:
        raise DamageError(f"{path.name} must be a file")
    if not path.resolve().is_relative_to(path.parent.resolve()):
        raise DamageError(f"{path.name} is a link that leads out of its folder: put the file there")


def check_seal(path: Path) -> None:
    """Hold a record and the files beside it against the hashes that it was written with.

    Records of before there were seals pass. A file that is gone is for who reads it to report.

    Args:
        path: The record, such as run.json.

    Raises:
        DamageError: A file or the record is not what was written.
    """
    content = read_json(path)
    if SEAL not in content:
        return
    hashes = content[SEAL]
    if not isinstance(hashes, dict) or hashes.get(OWN) != fields_sha256(content):
        raise DamageError(f"{path.name} is not what was written: {_MEND}")
    for name, want in hashes.items():
        if name == OWN or Path(name).name != name or not (path.parent / name).exists():
            continue
        if file_sha256(path.parent / name) != want:
            raise DamageError(f"{name} is not what was written, by its sha256: {_MEND}")


def is_begun(folder: Path) -> bool:
    """Whether a run's folder was made to train in, and nothing was written into it yet.

    So it is while a process loads its LM, and where one was ended then.
    """
    return (folder / LOCK).is_file() and not (folder / "run.json").exists()


def read_record(folder: Path, kind: type[R], table: str) -> R | None:
    """The validated run.json of a folder; None while the run goes on.

    Raises:
        FolderError: It cannot be used, or is of another run than the folder.
    """
    path = folder / "run.json"
    content = read_json(path)
    if content.get("status") == "running":
        return None
    content.pop(SETUP, None)  # a table of its own, see setups.py
    record = checked(content, kind, path, table)
    if (run_id := record.values()["run_id"]) != folder.name:
        raise FolderError(f"run.json is of run {run_id!r}, the folder's name must be the same")
    return record


def checked(content: dict[str, Any], kind: type[R], path: Path, table: str) -> R:
    """The content as a row of a table.

    Raises:
        DamageError: A field is missing, unknown or ill-typed.
    """
    try:
        return kind(**unsealed(content))
    except ValidationError as error:
        problems = "; ".join(_field_problem(problem, table) for problem in error.errors())
        raise DamageError(f"{path.name}: {problems}") from error


def _field_problem(problem: Any, table: str) -> str:
    name = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "missing":
        return f"{name} is missing"
    if problem["type"] == "extra_forbidden":
        return f"{name} is not a column of {table}"
    return f"{name}: {problem['msg'][0].lower()}{problem['msg'][1:]}, got {short(problem['input'])}"


def each_evaluation(
    run_folder: Path,
    known: Mapping[str, str],
    sync: Callable[[Path, str | None], bool],
    broken: BrokenFolders,
) -> int:
    """Bring in the evaluations that lie in a run's folder.

    Args:
        run_folder: Of a run that is in the store.
        known: By evaluation the hash of what is stored of it.
        sync: Brings one in, given its folder and that hash, and says whether it had to.
        broken: Is told which cannot be used.

    Returns:
        How many came in. One without a record is not finished and passed over.
    """
    if not (run_folder / EVALUATIONS).is_dir():
        return 0
    n_made, home = 0, run_folder.resolve()
    for folder in sorted((run_folder / EVALUATIONS).iterdir()):
        if folder.name.startswith(".") or not (folder / EVALUATION).is_file():
            continue
        name = f"{run_folder.name}/{EVALUATIONS}/{folder.name}"
        if broken.known(name, folder):
            continue
        try:
            if not folder.resolve().is_relative_to(home):
                raise FolderError("it is a link that leads out of the run's folder")
            n_made += sync(folder, known.get(folder.name))
        except FolderError as reason:
            broken.refuse(name, reason)
    return n_made


def content_hash(folder: Path, names: Sequence[str]) -> str:
    """Hash of some of a folder's files.

    Raises:
        FolderError: One cannot be read.
    """
    digest = sha256()
    for name in names:
        digest.update(bytes.fromhex(file_sha256(folder / name)))
    return digest.hexdigest()


def file_sha256(path: Path) -> str:
    """Hash of a file's bytes.

    Raises:
        DamageError: It cannot be read, or is no file of its folder.
    """
    check_own(path)
    try:
        return whole_sha256(path)
    except OSError as error:
        raise DamageError(f"{path.name} cannot be read: {error.strerror}") from error


def read_parquet(path: Path, schema: pa.Schema) -> pa.Table:
    """A Parquet file of exactly these columns, without NULL where the schema allows none.

    Raises:
        DamageError: It is damaged, has other columns, or is no file of its folder.
    """
    check_own(path)
    try:
        table = pq.ParquetFile(path).read()
        table.validate(full=True)  # text that is no UTF-8 would only fail in the store
    except DAMAGE as error:
        raise DamageError(f"{path.name} is not readable Parquet: {first_line(error)}") from error
    want = {field.name: str(field.type) for field in schema}
    got = {field.name: str(field.type) for field in table.schema}
    if got != want or len(table.schema) != len(got):
        raise DamageError(f"{path.name} must have columns {want}, got {got}")
    for field in schema:
        if not field.nullable and table[field.name].null_count:
            raise DamageError(
                f"{path.name}: {field.name} must not be NULL, got "
                f"{table[field.name].null_count} of {table.num_rows}"
            )
    return table.select(schema.names).cast(schema)


def check_logits(predictions: pa.Table) -> None:
    """Refuse logits that are no numbers.

    Raises:
        FolderError: NaN or infinite values.
    """
    for name in ("logit_yes", "logit_no"):
        n_bad = count(pc.invert(pc.is_finite(predictions[name])))
        if n_bad:
            raise FolderError(f"{name} must be finite, got {n_bad} NaN or infinite values")


def count(flags: pa.ChunkedArray) -> int:
    """How many are true."""
    return int(pc.sum(flags, min_count=0).as_py())


def check_examples(known: pa.ChunkedArray, manifest_id: str, predictions: pa.Table) -> None:
    """Refuse predictions of examples that the manifest does not have.

    Args:
        known: Ids of the manifest's examples.
        manifest_id: The manifest.
        predictions: With a column example_id.

    Raises:
        FolderError: There are some.
    """
    n_dangling = count(pc.invert(pc.is_in(predictions["example_id"], value_set=known)))
    if n_dangling:
        raise FolderError(
            f"{n_dangling} of {predictions.num_rows} predictions are of no example of "
            f"manifest {manifest_id!r}"
        )
