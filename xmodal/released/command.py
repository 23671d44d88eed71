"""What `xmodal import s1` does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from taxonomy.errors import ConfigError
from xmodal.released.audit import audit
from xmodal.released.page import write_audit
from xmodal.released.s1 import read_s1
from xmodal.store import Store
from xmodal.store.findings import replace_release


def import_s1(
    path: Path,
    store: Path,
    fmt: str | None,
    output: Path | None,
    tell: Callable[[str], None],
) -> str:
    """Store the released results in place of any earlier import of them.

    Args:
        path: A clone of the authors' repository.
        store: The DuckDB file.
        fmt: --format, which belongs to an audit.
        output: --output, which belongs to an audit.
        tell: Gets a line for each file that was left alone or is missing.

    Returns:
        A summary.

    Raises:
        ConfigError: A setting of the audit without it.
        DataError: The files are not those of the release, or damaged; the store is untouched.
        StoreError: The store cannot be written.
    """
    for name, given in (("--format", fmt), ("--output", output)):
        if given is not None:
            raise ConfigError(f"{name} goes with --audit, got no --audit: add it")
    imported = read_s1(path)
    with Store.open(store) as opened:
        replace_release(opened, imported.release)
    for line in imported.remarks():
        tell(line)
    return imported.summary()


def audit_s1(path: Path, fmt: str | None, output: Path | None, tell: Callable[[str], None]) -> str:
    """Audit the released results; no store is opened.

    Args:
        path: A clone of the authors' repository.
        fmt: table, json or markdown.
        output: A file for the audit; None means no file.
        tell: Gets a line for each file that was left alone or is missing.

    Returns:
        The audit as text, or what was written to output.

    Raises:
        ConfigError: Unknown format.
        DataError: The files are not those of the release, or damaged.
    """
    imported = read_s1(path)
    for line in imported.remarks():
        tell(line)
    return write_audit(audit(imported.release), fmt, output)
