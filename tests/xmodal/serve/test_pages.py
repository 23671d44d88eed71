"""The served pages: what they show, and what they do with names and requests that mean harm."""

from __future__ import annotations

import html
import io
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient
from typer.testing import CliRunner

from cli.main import app as cli
from taxonomy.errors import ConfigError
from tests.cli.tiny_store import Tiny
from tests.xmodal.report import pages as hostile
from tests.xmodal.report.pages import EVIL
from tests.xmodal.tiny import environment
from xmodal.asking import Asker, read_picture_file
from xmodal.serve import app, upload
from xmodal.serve.guard import LOCAL
from xmodal.serve.run import listen
from xmodal.store import Store

RELEASED = Path(__file__).parents[2] / "fixtures" / "s1"
BASE = "http://127.0.0.1:8000"


def client_of(store: Path, **more: Any) -> TestClient:
    return TestClient(app.make_app(store, LOCAL), base_url=BASE, **more)


@pytest.fixture(scope="module")
def evil_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of a dataset whose hypernym is a script."""
    folder = tmp_path_factory.mktemp("evil")
    with Store.open(folder / "x.duckdb") as store:
        hostile.fill(store, folder)
    return folder / "x.duckdb"


@pytest.fixture(scope="module")
def evil(evil_store: Path) -> TestClient:
    return client_of(evil_store)


@pytest.fixture(scope="module")
def own(trained: Tiny) -> TestClient:
    return client_of(trained.store)


class Tags(HTMLParser):
    """What a browser makes of a page: its tags, and texts in between."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.add(data.strip())


NAMELESS = ("/try", "/compare?xa")
"""Pages without the hypernym."""
PAGES = (
    "/",
    "/?lm_init=random",
    "/compare?xa=&a=",
    "/compare?a=aaa1&b=bbb1",
    "/compare?a=aaa1&b=bbb1&single=1&sort=hypernym",
    "/hypernym/d1/0",
    "/hypernym/d1/0?run=bbb1&answer=wrong&set=held_out",
    "/run/aaa1",
    "/picture/d1/0",
    "/picture/d1/1",
    "/try",
    "/try?run=aaa1&dataset=d1&image=0",
)


@pytest.mark.parametrize("address", PAGES)
def test_names_are_escaped_and_pages_guarded(evil: TestClient, address: str) -> None:
    page = evil.get(address)
    assert page.status_code == 200, page.text
    policy = page.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    tags = Tags()
    tags.feed(page.text)
    assert EVIL in tags.texts or address.startswith(NAMELESS)
    # nothing inline, nobody else's
    for name, attributes in tags.tags:
        assert name != "style"
        assert not [one for one in attributes if one.startswith("on") or one == "style"]
        source = attributes.get("src") or ""
        assert not source or source.startswith("/")
        assert name != "script" or source == "/static/serve.js"


def test_pages_show_what_the_store_holds(evil: TestClient, evil_store: Path) -> None:
    with Store.open(evil_store, read_only=True) as store:
        rows = store.analysis("side-by-side", a="aaa1", b="bbb1").to_pylist()
        answers = store.analysis("answers", run="aaa1").to_pylist()
    page = evil.get("/compare?a=aaa1&b=bbb1").text
    assert [row["hypernym"] for row in rows] == [EVIL]
    assert f"{rows[0]['a_f1']:.3f}" in page
    assert f"{rows[0]['difference']:+.3f}".replace("-", "−") in page
    page = evil.get("/hypernym/d1/0?run=aaa1").text
    assert page.count("/picture/d1/") == len(answers) == 2
    n_wrong = sum(not row["is_right"] for row in answers)
    assert f"{2 - n_wrong} right, {n_wrong} wrong of 2 test questions" in page
    shown = evil.get("/hypernym/d1/0?run=aaa1&answer=wrong").text
    assert shown.count("/picture/d1/") == n_wrong
    only = evil.get("/?lm_init=random").text
    assert "bbb1" in only
    assert "/run/aaa1" not in only
    # both runs' answers about the picture
    page = evil.get("/picture/d1/0").text
    assert page.count('href="/run/aaa1"') == page.count('href="/run/bbb1"') >= 1


@pytest.mark.parametrize(
    ("address", "status", "told"),
    [
        ("/run/zzz", 404, "no such run"),
        ("/run/aaa", 404, "no such run"),
        ("/run/..%2F..%2Fetc%2Fpasswd", 404, ""),
        ("/static/..%2F..%2F..%2Fetc%2Fpasswd", 404, ""),
        ("/static/../../etc/passwd", 404, ""),
        ("/thumb/d1/..%2f..%2fx", 404, ""),
        ("/thumb/d1/7", 404, "no such picture"),
        ("/thumb/d1/1", 404, "No such file"),
        ("/thumb/d1/0?side=100000", 404, "side must be one of"),
        ("/thumb/d1/99999999999999999999", 404, ""),
        ("/hypernym/d1/1.5", 404, ""),
        ("/hypernym/d1/0?run=zzz", 404, "no run &#39;zzz&#39;"),
        ("/hypernym/d1/0?page=2", 404, "no such page"),
        ("/hypernym/d1/0?answer=x", 400, "answer must be one of"),
        ("/hypernym/zzz/0", 404, "no such dataset"),
        ("/picture/d1/x%00", 404, ""),
        ("/compare?a=zzz&b=aaa1", 404, "no run"),
        ("/compare?a=aaa1&b=bbb1&sort=%3Cscript%3E", 400, "&lt;script&gt;"),
        ("/?nothing=1", 400, "unknown column &#39;nothing&#39;"),
        ("/?lm_init=%3Cscript%3E", 400, "&lt;script&gt;"),
        ("/?lm_init=%00%ff", 400, "no run with"),
        ("/figure/nothing.svg", 404, "no such figure"),
        ("/figure/categories.svg?run=zzz", 404, "unknown run"),
        ("/try?run=zzz", 404, "no trained run"),
        ("/try?image=-1&dataset=d1", 404, ""),
        (f"/?lm_init={'x' * 5000}", 414, "too long"),
        (f"/run/{'x' * 600}", 414, "too long"),
    ],
)
def test_addresses_of_nothing(evil: TestClient, address: str, status: int, told: str) -> None:
    page = evil.get(address)
    assert page.status_code == status, page.text
    assert told in page.text
    assert "root:" not in page.text
    assert "<script>" not in page.text
    assert "secret" not in page.text, "no file's place"


def test_pictures_and_figures(evil: TestClient) -> None:
    found = evil.get("/thumb/d1/0")
    assert found.headers["content-type"] == "image/webp"
    assert "max-age" in found.headers["cache-control"]
    small = Image.open(io.BytesIO(found.content))
    assert small.size == (96, 48)
    again = evil.get("/thumb/d1/0", headers={"if-none-match": found.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    drawn = evil.get("/figure/categories.svg?run=aaa1&run=bbb1")
    assert drawn.headers["content-type"] == "image/svg+xml"
    assert "<script" not in drawn.text
    assert "script-src" not in drawn.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 421),
        ({"host": "127.0.0.1.evil.example:8000"}, 421),
        ({"host": "["}, 421),
        ({"host": "localhost:1"}, 200),
        ({"host": "[::1]:8000"}, 200),
    ],
)
def test_only_own_names_are_answered(
    evil: TestClient, headers: dict[str, str], status: int
) -> None:
    assert evil.get("/compare", headers=headers).status_code == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://127.0.0.1:9"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site", "origin": BASE}, 403),
        ({"sec-fetch-site": "same-origin", "origin": BASE}, 400),
        ({}, 400),
    ],
)
def test_forms_of_other_sites_are_refused(
    own: TestClient, run_id: str, headers: dict[str, str], status: int
) -> None:
    page = own.post("/try", headers=headers, files={"run": (None, run_id)})
    assert page.status_code == status
    assert ("Choose a picture" in page.text) == (status == 400)


def test_other_methods(evil: TestClient) -> None:
    assert evil.put("/").status_code == 405
    assert evil.post("/").status_code == 405
    assert evil.head("/").status_code == 200


class TestTrying:
    def ask(self, own: TestClient, content: bytes, name: str = "x.png", **fields: str) -> Any:
        return own.post("/try", data=fields, files={"picture": (name, content)})

    def test_answers_are_those_of_ask(
        self, own: TestClient, trained: Tiny, run_id: str, picture: Path
    ) -> None:
        page = self.ask(
            own, picture.read_bytes(), "<b>.png", run=run_id, concepts="bird,\n <i>x</i> ,tool"
        )
        assert page.status_code == 200
        asker = Asker.load(trained.store, run_id)
        for one in asker.ask(read_picture_file(picture), ["bird", "<i>x</i>", "tool"]):
            assert f"{one.p_yes:.3f}" in page.text
            assert html.escape(one.concept) in page.text
        assert "<i>x" not in page.text
        assert "<b>.png" not in page.text
        assert "&lt;b&gt;.png" in page.text

    def test_a_picked_picture(self, own: TestClient, trained: Tiny, run_id: str) -> None:
        with Store.open(trained.store, read_only=True) as store:
            dataset = store.load_taxonomy().dataset_id
            (image, uri) = (
                store.query("SELECT image_id, uri FROM image LIMIT 1").to_pylist()[0].values()
            )
        fields = {"run": run_id, "dataset": dataset, "image": str(image), "concepts": "owl"}
        page = own.post("/try", files={k: (None, v) for k, v in fields.items()})
        assert page.status_code == 200, page.text
        asker = Asker.load(trained.store, run_id)
        (one,) = asker.ask(read_picture_file(Path(uri)), ["owl"])
        assert f"{one.p_yes:.3f}" in page.text

    @pytest.mark.parametrize(
        ("content", "told"),
        [
            (b"", "Choose a picture"),
            (b"<svg onload=alert(1)>", "cannot be decoded"),
            (b"%!PS-Adobe-3.0 EPSF", "cannot be decoded"),
            (b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "cannot be decoded"),
        ],
    )
    def test_what_is_no_picture(
        self, own: TestClient, run_id: str, content: bytes, told: str
    ) -> None:
        page = self.ask(own, content, run=run_id)
        assert page.status_code == 400
        assert told in page.text

    def test_a_bomb(self, own: TestClient, run_id: str) -> None:
        def chunk(kind: bytes, data: bytes) -> bytes:
            return (
                struct.pack(">I", len(data)) + kind + data
                + struct.pack(">I", zlib.crc32(kind + data))
            )  # fmt: skip

        header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
        bomb = (
            b"\x89PNG\r\n\x1a\n"
            + chunk(b"IHDR", header)
            + chunk(b"IDAT", b"")
            + chunk(b"IEND", b"")
        )
        page = self.ask(own, bomb, run=run_id)
        assert page.status_code == 400
        assert "pixels" in page.text

    def test_too_large(self, own: TestClient, run_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(upload, "MOST_BYTES", 100_000)
        assert self.ask(own, b"x" * 200_000, run=run_id).status_code == 413

        sent = 0

        def parts() -> Iterator[bytes]:  # of unknown length, which goes on for ever
            nonlocal sent
            yield b'--b\r\nContent-Disposition: form-data; name="picture"; filename="x"\r\n\r\n'
            while sent < 50_000_000:
                sent += 10_000
                yield b"x" * 10_000

        page = own.post(
            "/try", content=parts(), headers={"content-type": "multipart/form-data; boundary=b"}
        )
        assert page.status_code == 413

    @pytest.mark.parametrize(
        ("content", "kind", "status"),
        [
            (b"run=x", "application/x-www-form-urlencoded", 415),
            (b"{}", "application/json", 415),
            (b"nothing", "multipart/form-data", 400),
            (b"--x\r\nno header", "multipart/form-data; boundary=b", 400),
            (b"--b\r\n\r\n\r\n--b--", "multipart/form-data; boundary=b", 400),
            (b'--b\r\nContent-Disposition: form-data; name="run"\r\n\r\n'
             + b"x" * 80_000 + b"\r\n--b--", "multipart/form-data; boundary=b", 400),
        ],
    )  # fmt: skip
    def test_damaged_forms(self, own: TestClient, content: bytes, kind: str, status: int) -> None:
        page = own.post("/try", content=content, headers={"content-type": kind})
        assert page.status_code == status

    def test_concepts_that_cannot_be_asked(
        self, own: TestClient, run_id: str, picture: Path
    ) -> None:
        page = self.ask(own, picture.read_bytes(), run=run_id, concepts="x" * 90)
        assert page.status_code == 400
        assert "1 to 80 printable characters" in page.text

    def test_enough_are_asking(
        self, own: TestClient, run_id: str, picture: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from xmodal.serve.models import BusyError, Models

        def busy(*_: object) -> None:
            raise BusyError

        monkeypatch.setattr(Models, "ask", busy)
        page = self.ask(own, picture.read_bytes(), run=run_id)
        assert (page.status_code, page.headers["retry-after"]) == (503, "2")


_HOLD = """
import sys
from xmodal.store import Store
with Store.open(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_store_that_is_written_to(
    evil: TestClient, evil_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "WAIT_S", 0.1)
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(evil_store)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(),
    )  # fmt: skip
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        page = evil.get("/")
        assert page.status_code == 503
        assert f"process {holder.pid}" in page.text
        assert "Load this page again" in page.text
    finally:
        holder.communicate()
    assert evil.get("/").status_code == 200


def test_an_empty_store(tmp_path: Path) -> None:
    Store.open(tmp_path / "x.duckdb").close()
    client = client_of(tmp_path / "x.duckdb")
    assert "holds no finished run" in client.get("/").text
    for address in ("/compare", "/try"):
        assert client.get(address).status_code == 200
    (tmp_path / "x.duckdb").unlink()
    assert client.get("/").status_code == 503


def test_released_runs_stand_beside_own_ones(evil_store: Path, tmp_path: Path) -> None:
    store = Path(shutil.copy(evil_store, tmp_path / "x.duckdb"))
    imported = CliRunner().invoke(cli, ["import", "s1", str(RELEASED), "--store", str(store)])
    assert imported.exit_code == 0, imported.output
    client = client_of(store)
    listed = client.get("/").text
    with Store.open(store, read_only=True) as opened:
        rows = opened.query("SELECT run_id FROM released_run ORDER BY run_id").to_pylist()
        (a, b) = (row["run_id"] for row in rows[:2])
        want = opened.analysis("side-by-side", a=a, b=b, single=True).to_pylist()
    assert all(f'href="/run/{row["run_id"]}"' in listed for row in rows)
    assert 'href="/run/aaa1"' in listed
    assert client.get(f"/run/{a}").status_code == 200
    page = client.get(f"/compare?a={a}&b={b}&single=1").text
    assert want
    for row in want:
        assert row["hypernym"].replace("'", "&#39;") in page
    assert client.get(f"/compare?a=aaa1&b={b}").status_code == 200
    assert "runs of one condition" in client.get(f"/compare?a={a}&b={a}").text
    assert client.get(f"/try?run={a}").status_code == 404, "there is nothing to ask"


class TestListening:
    def test_addresses_that_others_reach_need_leave(self) -> None:
        for host in ("0.0.0.0", "", "::"):
            with pytest.raises(ConfigError, match="--allow-remote"):
                listen(host, 0, allow_remote=False)
        listen("0.0.0.0", 0, allow_remote=True).close()

    def test_a_free_port_and_one_that_is_taken(self) -> None:
        with listen("localhost", 0, allow_remote=False) as first:
            port = first.getsockname()[1]
            assert port > 0
            with pytest.raises(ConfigError, match=f"port {port}: .*choose another --port"):
                listen("127.0.0.1", port, allow_remote=False)

    def test_command_needs_a_store_and_a_local_address(self, trained: Tiny, tmp_path: Path) -> None:
        done = trained.call("serve", "--host", "0.0.0.0")
        assert done.exit_code == 1
        assert done.stderr.startswith("error: host '0.0.0.0' can be reached")
        nowhere = Tiny(tmp_path / "none.duckdb", trained.lm, ())
        done = nowhere.call("serve")
        assert done.exit_code == 1
        assert done.stderr.count("\n") == 1
        assert "no store at" in done.stderr
