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
    timeout: Annotated[
        float, typer.Option("--timeout", help="Seconds after which the query is stopped.")
    ] = 60.0,
    memory: Annotated[
        str | None,
        typer.Option(
            "--memory", help="Memory it may use, such as 2GB; half of the machine's if left out."
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            help="Rows at most; all if left out, but for a table on stdout, which shows the first.",
        ),
    ] = None,
    list_analyses: Annotated[
        bool, typer.Option("--list", help="List the named analyses and stop.")
    ] = False,
) -> None:
    """Ask the store in SQL: `xmodal query @main-results` or `xmodal query "from run"`.

    Reads only: nothing it can say changes the store or opens another file. A query that takes
    more time or memory than it may is stopped.
    """
    from xmodal.store.analyses import analyses_table, why_empty
    from xmodal.store.limits import limits_meant
    from xmodal.store.render import emit, rows_to_fetch
    from xmodal.store.sandbox import ask_user_query

    if list_analyses:
        emit(analyses_table(), fmt, output)
    elif sql is None:
        raise ConfigError('give a query, such as "from run" or @main-results, or --list')
    else:
        params = _params(param or [])
        limits = limits_meant(timeout, memory, rows_to_fetch(limit, fmt, output))
        found = ask_user_query(store, sql, params, limits=limits)
        emit(found.table, fmt, output, more=found.more and limit is None)
        if found.more and limit is not None:
            to_stderr(f"{limit} rows, as --limit has it: there are more")
        if note := why_empty(sql, found.table, params):
            to_stderr(note)


def _params(given: list[str]) -> dict[str, str]:
    for item in given:
        if "=" not in item:
            raise ConfigError(f"--param must be k=v, got {item!r}")
    return dict(item.split("=", 1) for item in given)
