"""xmodal plan: comparisons that are fixed before the runs are trained."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.errors import user_errors
from cli.options import DEFAULT_STORE, Format, FormatOrSuffix, Output, StorePath, to_stderr
from cli.stats import tell

app = typer.Typer(
    help="Freeze comparisons before training, and make them after it.", no_args_is_help=True
)


@app.command("freeze")
@user_errors
def freeze(
    file: Annotated[Path, typer.Argument(help="TOML: name, manifests, [[contrast]] tables.")],
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Store a plan for good, with the hashes of its manifests, metrics and contrasts.

    Results of a plan are confirmatory where every run began after it was frozen.
    """
    from xmodal.stats.plan import freeze as frozen

    plan, is_new = frozen(store, file)
    to_stderr(f"{plan.n_contrasts} contrasts, {'frozen' if is_new else 'frozen before'} at "
              f"{plan.created_at}")  # fmt: skip
    typer.echo(plan.plan_id)


@app.command("run")
@user_errors
def run(
    plan: Annotated[str, typer.Argument(help="Id of a plan, or its beginning.")],
    store: StorePath = DEFAULT_STORE,
    fmt: FormatOrSuffix = None,
    output: Output = None,
) -> None:
    """Make a plan's comparisons over the runs there are, and store them."""
    from xmodal.stats.ask import run_plan

    tell(run_plan(store, plan), fmt, output)


@app.command("list")
@user_errors
def listed(store: StorePath = DEFAULT_STORE, fmt: Format = "table") -> None:
    """The frozen plans."""
    from xmodal.store import Store
    from xmodal.store.render import chosen_format, emit

    chosen_format(fmt)
    with Store.open(store, read_only=True) as opened:
        found = opened.analysis("plans")
    emit(found, fmt)
