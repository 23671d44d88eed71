"""xmodal query: SQL over the store, read-only."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.errors import user_errors
from cli.options import DEFAULT_STORE, FormatOrSuffix, Output, StorePath, to_stderr
from taxonomy.errors import ConfigError


@user_errors
def query(
    sql: Annotated[
        str | None, typer.Argument(help="One statement that reads, or @name for an analysis.")
    ] = None,
    store: StorePath = DEFAULT_STORE,
    fmt: FormatOrSuffix = None,
    output: Output = None,
    param: Annotated[
        list[str] | None, typer.Option("--param", help="k=v: a value for $k. Repeat as needed.")
    ] = None,
    list_analyses: Annotated[
        bool, typer.Option("--list", help="List the named analyses and stop.")
    ] = False,
) -> None:
    """Ask the store in SQL: `xmodal query @main-results` or `xmodal query "from run"`.

    Reads only: nothing it can say changes the store or opens another file.
    """
    from xmodal.store.analyses import analyses_table, why_empty
    from xmodal.store.render import emit
    from xmodal.store.sandbox import run_user_query

    if list_analyses:
        emit(analyses_table(), fmt, output)
    elif sql is None:
        raise ConfigError('give a query, such as "from run" or @main-results, or --list')
    else:
        params = _params(param or [])
        found = run_user_query(store, sql, params)
        emit(found, fmt, output)
        if note := why_empty(sql, found, params):
            to_stderr(note)


def _params(given: list[str]) -> dict[str, str]:
    for item in given:
        if "=" not in item:
            raise ConfigError(f"--param must be k=v, got {item!r}")
    return dict(item.split("=", 1) for item in given)
