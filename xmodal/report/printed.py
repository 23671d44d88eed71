"""Tables of rich as text."""

from __future__ import annotations

import io

from rich.console import Console
from rich.table import Table


def printed(table: Table) -> str:
    """A table as it looks on 100 columns, without what is empty at its end."""
    file = io.StringIO()
    Console(file=file, width=100).print(table)
    return file.getvalue().rstrip()
