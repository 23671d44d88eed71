"""`xmodal binding`: how a decoder tells which colour goes with which shape."""

from __future__ import annotations

import typer

from cli.binding_data import data
from cli.binding_demo import demo
from cli.binding_figures import figures
from cli.binding_probe import probe
from cli.binding_retrieve import retrieve
from cli.binding_train import train

app = typer.Typer(
    help="Whether seeing changes how a decoder binds colours to shapes.", no_args_is_help=True
)
app.command("data")(data)
app.command("train")(train)
app.command("probe")(probe)
app.command("retrieve")(retrieve)
app.command("demo")(demo)
app.command("figures")(figures)
