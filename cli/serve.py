"""`xmodal serve`: the store in a browser."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.errors import user_errors
from cli.options import DEFAULT_STORE, StorePath


@user_errors
def serve(
    store: StorePath = DEFAULT_STORE,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for any that is free.")] = 0,
    allow_remote: Annotated[
        bool,
        typer.Option(
            "--allow-remote",
            help="Take a --host that other machines reach, and requests by any name. There is no "
            "password: whoever reaches it sees the store and may ask.",
        ),
    ] = False,
    open_browser: Annotated[
        bool, typer.Option("--open/--no-open", help="Show it in the browser at once.")
    ] = False,
) -> None:
    """Look through the store in a browser, and ask trained projectors about pictures of your own.

    Reads only. Each page is made anew from the store, which stays free for training meanwhile.
    """
    from xmodal.serve.run import serve as serve_store

    serve_store(
        store,
        typer.echo,
        host=host,
        port=port,
        allow_remote=allow_remote,
        open_browser=open_browser,
    )
