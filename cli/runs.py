"""xmodal runs: what was trained."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.errors import user_errors
from cli.options import DEFAULT_STORE, Format, StorePath, to_stderr
from taxonomy.errors import ConfigError

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
    provenance: Annotated[
        bool,
        typer.Option(
            "--provenance",
            help="Show what the run was made from instead: ids and hashes of manifest, features, "
            "encoder and LM, every setting, seeds, versions, commit, command, machine, hashes of "
            "its files. unknown: not kept; none: the run has no such thing.",
        ),
    ] = False,
    fmt: Format = "table",
) -> None:
    """Show everything stored about one run, own or released: settings, metrics, scores."""
    from xmodal.store import Store
    from xmodal.store.describe import describe_run, emit_provenance
    from xmodal.store.render import chosen_format
    from xmodal.store.screen import as_record

    chosen = chosen_format(fmt)
    if not provenance and chosen != "table":
        raise ConfigError(f"format {chosen} goes with --provenance: add it")
    with Store.open(store or context.obj, read_only=True) as opened:
        if provenance:
            emit_provenance(opened, run_id, chosen)
        else:
            typer.echo(as_record(describe_run(opened, run_id)), nl=False)
