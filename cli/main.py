"""The xmodal command. Imports nothing heavy; each command imports what it needs."""

from __future__ import annotations

import typer

from cli.align import app as align_app
from cli.ask import ask
from cli.binding import app as binding_app
from cli.bundle import app as bundle_app
from cli.card import card
from cli.ceiling import ceiling
from cli.coherence import coherence
from cli.compare import compare
from cli.demo import demo
from cli.evaluate import evaluate
from cli.features import app as features_app
from cli.manifest import app as manifest_app
from cli.plan import app as plan_app
from cli.plot import plot
from cli.probe import probe
from cli.query import query
from cli.released import app as released_app
from cli.report import report
from cli.reproduce import reproduce
from cli.runs import app as runs_app
from cli.serve import serve
from cli.stats import app as stats_app
from cli.store import app as store_app
from cli.sweep import app as sweep_app
from cli.taxonomy import app as taxonomy_app
from cli.train import train

app = typer.Typer(
    name="xmodal",
    help="What does a frozen language model already know about things it has never seen?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("ask")(ask)
app.command("card")(card)
app.command("ceiling")(ceiling)
app.command("coherence")(coherence)
app.command("compare")(compare)
app.command("demo")(demo)
app.command("eval")(evaluate)
app.command("plot")(plot)
app.command("probe")(probe)
app.command("query")(query)
app.command("report")(report)
app.command("reproduce")(reproduce)
app.command("serve")(serve)
app.command("train")(train)
app.add_typer(align_app, name="align")
app.add_typer(binding_app, name="binding")
app.add_typer(bundle_app, name="bundle")
app.add_typer(features_app, name="features")
app.add_typer(released_app, name="import")
app.add_typer(manifest_app, name="manifest")
app.add_typer(plan_app, name="plan")
app.add_typer(runs_app, name="runs")
app.add_typer(stats_app, name="stats")
app.add_typer(store_app, name="store")
app.add_typer(sweep_app, name="sweep")
app.add_typer(taxonomy_app, name="taxonomy")


def main() -> None:
    """Entry point of the console script."""
    app()
