"""xmodal store: the DuckDB file itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.errors import user_errors
from cli.options import DEFAULT_STORE, StorePath

app = typer.Typer(help="The DuckDB experiment store.", no_args_is_help=True)


Runs = Annotated[
    Path | None,
    typer.Option("--runs", help="Folder of run folders; `runs` beside the store if left out."),
]


@app.command("info")
@user_errors
def info(store: StorePath = DEFAULT_STORE, runs: Runs = None) -> None:
    """Count the rows of every table, the file's bytes and the run folders beside it."""
    from xmodal.store import Store
    from xmodal.store.inventory import inventory
    from xmodal.store.render import emit

    with Store.open(store, read_only=True) as opened:
        emit(opened.table_sizes())
        found = inventory(opened, runs or store.parent / "runs")
    typer.echo("\n".join(found.lines()))


@app.command("path")
@user_errors
def path(store: StorePath = DEFAULT_STORE) -> None:
    """Print the absolute path of the store, for other tools."""
    typer.echo(store.absolute())


@app.command("sync")
@user_errors
def sync(
    store: StorePath = DEFAULT_STORE,
    runs: Runs = None,
) -> None:
    """Bring finished run folders in; safe at any time, a no-op when nothing changed."""
    from xmodal.syncing import sync_store

    report = sync_store(store, runs)
    typer.echo(report.summary())
    for line in report.problems():
        typer.echo(line, err=True)
    if report.rejected:
        raise typer.Exit(1)


@app.command("verify")
@user_errors
def verify(
    store: StorePath = DEFAULT_STORE,
    runs: Runs = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="See only whether files are there; hash none.")
    ] = False,
) -> None:
    """Hold the store against itself, its files and its folders; exit status 1 on a problem."""
    from xmodal.store import Store
    from xmodal.store.verify import verify

    with Store.open(store, read_only=True) as opened:
        checks = verify(opened, runs or store.parent / "runs", quick=quick)
    typer.echo("\n".join(line for check in checks for line in check.lines()))
    if any(check.problems for check in checks):
        raise typer.Exit(1)


@app.command("rebuild")
@user_errors
def rebuild(
    store: StorePath = DEFAULT_STORE,
    runs: Runs = None,
    drop_missing: Annotated[
        bool, typer.Option("--drop-missing", help="Drop what has no folder any more.")
    ] = False,
) -> None:
    """Make every table of runs anew from their folders; nothing changes if rows would be lost."""
    from xmodal.store.rebuild import rebuild

    report = rebuild(store, runs or store.parent / "runs", drop_missing=drop_missing)
    typer.echo(report.summary())
    for line in (*report.sync.problems(), *(f"dropped {name}" for name in report.dropped)):
        typer.echo(line, err=True)
    if report.sync.rejected:
        raise typer.Exit(1)


@app.command("vacuum")
@user_errors
def vacuum(store: StorePath = DEFAULT_STORE) -> None:
    """Write the file anew without the room of what was deleted."""
    from xmodal.store.copies import vacuum

    before, after = vacuum(store)
    typer.echo(f"{before} bytes before, {after} after")


@app.command("export")
@user_errors
def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Missing or empty.")],
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Write every table as Parquet, a folder each, for any tool to read."""
    from xmodal.store import Store
    from xmodal.store.exchange import export_store

    with Store.open(store, read_only=True) as opened:
        done = export_store(opened, folder)
    typer.echo(f"{done.n_rows} rows of {done.n_tables} tables in {folder}")
    for name in done.left_out:
        typer.echo(f"left out {name}: it is no table of xmodal", err=True)


@app.command("import")
@user_errors
def import_(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="As store export left it.")],
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Fill a store that is not there, or empty, from an export."""
    from xmodal.store.importing import import_store

    typer.echo(f"{import_store(folder, store)} rows brought in")


@app.command("upgrade")
@user_errors
def upgrade(store: StorePath = DEFAULT_STORE) -> None:
    """Bring a store made by an older xmodal up to date; every command that writes does so too."""
    from xmodal.store import Store

    with Store.open(store) as opened:
        typer.echo(f"{opened.path} is up to date")
