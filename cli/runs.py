"""xmodal runs: what was trained."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.errors import user_errors
from cli.options import DEFAULT_STORE, StorePath, to_stderr

app = typer.Typer(help="List finished runs, or show one.", invoke_without_command=True)


@app.callback()
@user_errors
def runs(context: typer.Context, store: StorePath = DEFAULT_STORE) -> None:
    """List own finished runs with design, seeds, held-out macro-F1 and seconds."""
    context.obj = store  # "runs --store X show ID" means the same as "runs show ID --store X"
    if context.invoked_subcommand is not None:
        return
    from xmodal.store import Store
    from xmodal.store.describe import runs_beside
    from xmodal.store.render import emit

    with Store.open(store, read_only=True) as opened:
        emit(opened.analysis("runs-overview"))
        for line in runs_beside(opened):
            to_stderr(line)


@app.command("show")
@user_errors
def show(
    context: typer.Context,
    run_id: Annotated[str, typer.Argument(help="A run id or the beginning of one.")],
    store: Annotated[
        Path | None, typer.Option(help="The DuckDB experiment store, as of xmodal runs.")
    ] = None,
) -> None:
    """Show everything stored about one run, own or released: settings, metrics, scores."""
    from xmodal.store import Store
    from xmodal.store.describe import describe_run
    from xmodal.store.screen import as_record

    with Store.open(store or context.obj, read_only=True) as opened:
        typer.echo(as_record(describe_run(opened, run_id)), nl=False)
