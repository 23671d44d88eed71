"""Start the server: an address of this machine, a free port, one line that says where."""

from __future__ import annotations

import ipaddress
import socket
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any

from taxonomy.errors import ConfigError
from xmodal.serve.guard import LOCAL
from xmodal.store import Store

_AT_ONCE = 64
"""Connections."""


def serve(
    store: Path,
    say: Callable[[str], None],
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    allow_remote: bool = False,
    open_browser: bool = False,
) -> None:
    """Serve pages over a store until interrupted.

    Args:
        store: The DuckDB file; opened to read, for each page anew.
        say: Called with the line that says where.
        host: Address to listen on.
        port: 0 for a free one.
        allow_remote: Take addresses that other machines reach, and any name in requests.
        open_browser: Show the first page in the user's browser.

    Raises:
        ConfigError: An address that is not of this machine alone, or that cannot be had.
        StoreError: No store, or one that cannot be read.
    """
    import uvicorn

    from xmodal.serve.app import make_app

    listening = listen(host, port, allow_remote)
    with listening:
        Store.open(store, read_only=True).close()
        bound = listening.getsockname()
        shown = f"[{bound[0]}]" if listening.family == socket.AF_INET6 else bound[0]
        url = f"http://{shown}:{bound[1]}/"
        hosts = None if allow_remote else LOCAL | {host.lower(), str(bound[0])}
        config: Any = uvicorn.Config(
            make_app(store, hosts),
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=_AT_ONCE,
            timeout_graceful_shutdown=2,
            h11_max_incomplete_event_size=16_384,
        )
        say(f"serving {store} at {url} (Ctrl-C ends it)")
        if open_browser:
            webbrowser.open(url)
        uvicorn.Server(config).run(sockets=[listening])


def listen(host: str, port: int, allow_remote: bool) -> socket.socket:
    """A socket that listens on an address.

    Raises:
        ConfigError: Not of this machine alone, unless allowed; unknown; or taken.
    """
    try:
        found = socket.getaddrinfo(host or "0.0.0.0", port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"no address of this machine is called {host!r}: {error}") from error
    family, _, _, _, address = found[0]
    if not allow_remote and not ipaddress.ip_address(str(address[0])).is_loopback:
        raise ConfigError(
            f"host {host!r} can be reached from other machines, and there is no password: take "
            "127.0.0.1, or say --allow-remote"
        )
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        made.listen(_AT_ONCE)
    except OSError as error:
        made.close()
        raise ConfigError(
            f"cannot listen on {host} port {port}: {error.strerror}; choose another --port"
        ) from error
    return made
