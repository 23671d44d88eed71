"""The xmodal command. Imports nothing heavy; each command imports what it needs."""

from __future__ import annotations

import typer

from cli.taxonomy import app as taxonomy_app

app = typer.Typer(
    name="xmodal",
    help="What does a frozen language model already know about things it has never seen?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(taxonomy_app, name="taxonomy")


def main() -> None:
    """Entry point of the console script."""
    app()
