"""The pages as an application: routes, templates, errors."""

from __future__ import annotations

import base64
import functools
import json
import threading
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import pandas  # noqa: F401  # see below
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from taxonomy.errors import StoreError, XmodalError
from xmodal.report.facts.dataset import images
from xmodal.report.page import environment, part
from xmodal.report.pictures import MEDIA_TYPE, SIDE, small_copy
from xmodal.report.plots import FIGURES
from xmodal.report.style import FORMATS
from xmodal.serve import pages
from xmodal.serve.guard import Guard
from xmodal.serve.models import BusyError, Models
from xmodal.serve.pages import MissingError, Row
from xmodal.serve.upload import Asked, read_asked
from xmodal.store import Store

# pyarrow imports pandas when it first needs it, and Altair looks into what is imported: a figure
# that is drawn in another thread at that moment would fail. So it is whole before any request.

WAIT_S = 3.0
"""Seconds that a page waits for a store that another process writes to."""
SIDES = (SIDE, 320)
"""Pixels of the longer side of pictures that are served."""
_PICTURE_AGE = "private, max-age=86400"
_SVG_POLICY = "default-src 'none'; style-src 'unsafe-inline'"

Fill = Callable[[Store, Request], Row]


class StoreBusyError(Exception):
    """The store cannot be opened just now."""


def make_app(store: Path, hosts: frozenset[str] | None) -> ASGIApp:
    """The application.

    Args:
        store: The DuckDB file.
        hosts: Names that requests may be made to; None for any.
    """
    site = Site(store)
    page = site.page
    app = Starlette(
        routes=[
            Route("/", page("home.html", lambda s, r: pages.home(s, r.query_params))),
            Route("/compare", page("compare.html", lambda s, r: pages.compare(s, r.query_params))),
            Route(
                "/hypernym/{dataset}/{concept}",
                page(
                    "hypernym.html",
                    lambda s, r: pages.hypernym(
                        s, r.path_params["dataset"], _id(r, "concept"), r.query_params
                    ),
                ),
            ),
            Route("/run/{run}", page("run.html", lambda s, r: pages.run(s, r.path_params["run"]))),
            Route(
                "/picture/{dataset}/{image}",
                page(
                    "picture.html",
                    lambda s, r: pages.picture(s, r.path_params["dataset"], _id(r, "image")),
                ),
            ),
            Route("/try", page("try.html", lambda s, r: pages.trying(s, r.query_params))),
            Route("/try", site.ask, methods=["POST"]),
            Route("/thumb/{dataset}/{image}", site.thumb),
            Route("/figure/{name}", site.figure),
            Route("/static/{name}", site.static),
        ],
        exception_handlers={
            HTTPException: site.http_error,
            MissingError: functools.partial(site.told, 404),
            XmodalError: functools.partial(site.told, 400),
            StoreError: functools.partial(site.told, 404),
            StoreBusyError: functools.partial(site.told, 503),
            BusyError: site.busy,
        },
    )
    return Guard(app, hosts)


class Site:
    """What the routes share: the store's place, the templates, the models."""

    def __init__(self, store: Path) -> None:
        """Read the package's own files; the store is opened by each request."""
        self.store = store
        self.models = Models(store)
        self._drawing = threading.Lock()
        own = files("xmodal.serve").joinpath("templates")
        self._static = {
            "style.css": (part("style.css"), "text/css"),
            "serve.css": (own.joinpath("serve.css").read_text(encoding="utf-8"), "text/css"),
            "serve.js": (own.joinpath("serve.js").read_text(encoding="utf-8"), "text/javascript"),
        }
        self._templates = environment(jinja2.PackageLoader("xmodal.serve"))

    def opened(self) -> Store:
        """The store, to read; for as short as can be, for others wait to write.

        Raises:
            StoreBusyError: Another process writes to it, or it cannot be read.
        """
        try:
            return Store.open(self.store, read_only=True, wait_s=WAIT_S)
        except StoreError as error:
            raise StoreBusyError(str(error)) from error

    def rendered(self, name: str, values: Mapping[str, Any], status: int = 200) -> HTMLResponse:
        """A page."""
        return HTMLResponse(
            self._templates.get_template(name).render(values, store_path=str(self.store)), status
        )

    def page(self, name: str, fill: Fill) -> Callable[[Request], Response]:
        """The endpoint of a page: filled from the store, which is closed before it is written."""

        def endpoint(request: Request) -> Response:
            with self.opened() as store:
                values = fill(store, request)
            return self.rendered(name, values)

        return endpoint

    async def ask(self, request: Request) -> Response:
        """Ask a run about a picture that was sent or picked."""
        asked = await read_asked(request)
        return await run_in_threadpool(self._answered, asked)

    def _answered(self, asked: Asked) -> Response:
        params = asked.params()
        if asked.content:
            del params["image"]
        with self.opened() as store:
            values = pages.trying(store, params)
            content = asked.content or pages.picked_bytes(values)
        values |= {"error": "", "shown": "", "file_name": asked.file_name if asked.content else ""}
        if not values["run_id"]:
            return self.rendered("try.html", values | {"error": "Choose a run."}, 400)
        if not content:
            why = "Choose a picture: a file of yours, or one of those below."
            return self.rendered("try.html", values | {"error": why}, 400)
        try:
            answers, shown = self.models.ask(values["run_id"], content, asked.names())
        except XmodalError as error:
            return self.rendered("try.html", values | {"error": str(error)}, 400)
        values |= {"answers": answers, "shown": base64.b64encode(shown).decode()}
        return self.rendered("try.html", values)

    def thumb(self, request: Request) -> Response:
        """A small copy of a picture; what an address gives never changes."""
        side, image_id = request.query_params.get("side", str(SIDE)), _id(request, "image")
        if side not in map(str, SIDES):
            raise MissingError(f"side must be one of {', '.join(map(str, SIDES))}")
        with self.opened() as store:
            row = images(store, request.path_params["dataset"], [image_id]).get(image_id)
        if row is None:
            raise MissingError("the dataset has no such picture")
        headers = {"etag": f'"{row["sha256"][:32]}-{side}"', "cache-control": _PICTURE_AGE}
        if request.headers.get("if-none-match") == headers["etag"]:
            return Response(status_code=304, headers=headers)
        small = small_copy(row["uri"], row["sha256"], int(side))
        if small.content is None:
            return PlainTextResponse(f"{small.reason}\n", 404)
        return Response(small.content, headers=headers, media_type=MEDIA_TYPE)

    def figure(self, request: Request) -> Response:
        """A figure as SVG."""
        name = request.path_params["name"].removesuffix(".svg")
        if name not in FIGURES:
            raise MissingError("there is no such figure")
        with self.opened() as store:
            spec = pages.figure_of(store, name, request.query_params.getlist("run"))
        with self._drawing:  # it takes a core and some memory
            drawn = _drawn(json.dumps(spec))
        return Response(
            drawn, headers={"content-security-policy": _SVG_POLICY}, media_type="image/svg+xml"
        )

    def static(self, request: Request) -> Response:
        """The pages' own style sheets and script, by name."""
        found = self._static.get(request.path_params["name"])
        if found is None:
            raise MissingError("there is no such file")
        text, kind = found
        return Response(text, headers={"cache-control": "no-cache"}, media_type=kind)

    def told(self, status: int, request: Request, error: Exception) -> Response:
        """An error's message as a page."""
        again = {"retry-after": "2"} if status == 503 else {}
        page = self.rendered("error.html", {"status": status, "message": str(error)}, status)
        page.headers.update(again)
        return page

    def http_error(self, request: Request, error: Exception) -> Response:
        """What the framework refuses, as a page."""
        assert isinstance(error, HTTPException)
        message = "There is nothing at this address." if error.status_code == 404 else error.detail
        return self.told(error.status_code, request, Exception(message))

    def busy(self, request: Request, error: Exception) -> Response:
        """Too many at once."""
        return self.told(503, request, Exception("other pictures are being asked about: try again"))


@functools.lru_cache(maxsize=32)
def _drawn(spec: str) -> bytes:
    return FORMATS["svg"](json.loads(spec))


def _id(request: Request, name: str) -> int:
    """A number of the path.

    Raises:
        MissingError: It is none.
    """
    text = request.path_params[name]
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise MissingError("there is nothing at this address")
    return int(text)
