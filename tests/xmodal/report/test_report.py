"""The report's page: what it says, that it is whole, and that nothing in it can act."""

from __future__ import annotations

import base64
import json
import shutil
import time
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import app
from taxonomy.errors import ConfigError
from tests.xmodal.report import pages
from tests.xmodal.store.empty import empty_store
from xmodal.report.page import contents, figures
from xmodal.report.plots import FIGURES
from xmodal.report.report import PAGE, report_page
from xmodal.store import Store

VOID = {"meta", "img", "br", "input", "link", "hr"}


class Read(HTMLParser):
    """A page as it is read: tags that were left open or closed wrongly are errors."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] == ["script"]:
            self.scripts.append(data)
        elif self.open[-1:] != ["style"]:
            self.words.append(" ".join(data.split()))

    def attrs(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("page")
    with empty_store() as store, pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            figures, "FIGURES", {"ablation": FIGURES["ablation"]}
        )  # each takes a part of a second
        pages.fill(store, folder)
        page = report_page(store)
        assert report_page(store) == page  # byte for byte
        assert str(folder) not in page
        return page


@pytest.fixture(scope="module")
def read(text: str) -> Read:
    return Read(text)


def test_names_are_words_and_never_tags(text: str, read: Read) -> None:
    assert pages.EVIL in read.words
    assert 'alert("x")' not in text
    assert "<img src=x" not in text
    assert all(not name.startswith("on") for _, attrs in read.tags for name in attrs)


def test_only_the_page_s_own_scripts_may_run(read: Read) -> None:
    (policy,) = [a["content"] for a in read.attrs("meta") if a.get("http-equiv")]
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    runs = [
        script
        for script, attrs in zip(read.scripts, read.attrs("script"), strict=True)
        if attrs.get("type") != "application/json"
    ]
    assert len(runs) == 2
    for script in runs:
        assert base64.b64encode(sha256(script.encode()).digest()).decode() in policy


def test_nothing_is_fetched(read: Read) -> None:
    for _, attrs in read.tags:
        assert not {"src", "srcset", "action", "data"} & set(attrs)
        assert (attrs.get("href") or "#").startswith("#")
    assert "url(" not in (Path(__file__).parents[3] / "xmodal/report/page/style.css").read_text()


def test_ids_are_unique_and_links_lead_somewhere(read: Read) -> None:
    ids = [attrs["id"] for _, attrs in read.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {a["href"][1:] for a in read.attrs("a") if a["href"]} <= set(ids)
    assert {a["data-filter"] for a in read.attrs("input")} <= set(ids)
    assert all(a.get("scope") in ("col", "row") for a in read.attrs("th"))


def test_pictures_are_there_once_or_say_why_not(read: Read) -> None:
    encoded = json.loads(
        read.scripts[[a.get("id") for a in read.attrs("script")].index("pictures")]
    )
    assert list(encoded) == ["0"]
    assert base64.b64decode(encoded["0"])[8:12] == b"WEBP"
    assert {(a["data-picture"], a["alt"]) for a in read.attrs("img")} == {("0", "parrot")}
    assert "no picture of ruby: No such file or directory" in read.words
    assert any("1 of the 2 pictures are on this page" in said for said in read.words)


def test_numbers_are_the_store_s(read: Read) -> None:
    # random weights: always No -> 1/3; its margin is 0 - 1 for each of its two answers
    words = read.words
    row = words.index("random weights, all removed")
    assert [w for w in words[row + 1 :] if w][:2] == ["0.333", "0.333"]
    assert {"+1.00", "−1.00", "2 right", "1 right", "1 wrong", "0 wrong"} <= set(words)


def test_a_chart_is_embedded_with_its_data(read: Read) -> None:
    charts = [a["data-chart"] for a in read.attrs("div") if "data-chart" in a]
    by_id = dict(zip([a.get("id") for a in read.attrs("script")], read.scripts, strict=True))
    assert "chart-ablation" in charts
    spec = json.loads(by_id["chart-ablation"])
    assert "vega-lite" in spec["$schema"]
    drawn = " ".join(map(str, spec["datasets"].values()))
    for run_id in ("aaa1", "bbb1"):
        assert run_id in drawn


def test_a_figure_that_is_too_large_is_of_fewer_runs_or_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "FIGURES", {"ablation": FIGURES["ablation"]})
    row = {"run_id": "aaa1", "run_ids": ["aaa1"]}
    with empty_store() as store:
        pages.fill(store, tmp_path)
        (whole,) = figures.figures(store, ["aaa1", "bbb1"], [row])
        monkeypatch.setattr(figures, "MOST_BYTES", len(json.dumps(whole.spec)) - 1)
        (fewer,) = figures.figures(store, ["aaa1", "bbb1"], [row])
        monkeypatch.setattr(figures, "MOST_BYTES", 10)
        (none,) = figures.figures(store, ["aaa1", "bbb1"], [row])
    assert "aaa1" not in whole.caption
    assert "bbb1" in str(whole.spec)
    assert "bbb1" not in str(fewer.spec)
    assert fewer.caption.startswith("The conditions that are looked at")
    assert (none.title, none.spec) == (whole.title, None)


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing them takes most of a page's time; other tests have them."""
    monkeypatch.setattr(contents, "figures", lambda *_: [])


@pytest.mark.usefixtures("no_figures")
def test_a_page_that_is_too_large_has_fewer_pictures_or_says_so(tmp_path: Path) -> None:
    with empty_store() as store:
        pages.fill(store, tmp_path)
        n_bytes = len(report_page(store).encode())
        small = report_page(store, max_mb=(n_bytes - 20) / 1e6)
        assert len(small.encode()) <= n_bytes - 20
        assert "It would be 6, but for the page’s size" in " ".join(small.split())
        with pytest.raises(ConfigError, match=r"without any picture, more than --max-mb 0\.01"):
            report_page(store, max_mb=0.01)


@pytest.mark.usefixtures("no_figures")
def test_the_command_writes_over_a_report_and_nothing_else(tmp_path: Path) -> None:
    path, out = tmp_path / "x.duckdb", tmp_path / "out"
    with Store.open(path) as store:
        empty = ["report", "--store", str(path), "--output", str(out)]
        pages.fill(store, tmp_path)
    for title in ("First", "Second <b>"):
        done = CliRunner().invoke(app, [*empty, "--title", title])
        assert done.exit_code == 0, done.stderr
    page = (out / PAGE).read_text()
    assert "<title>Second &lt;b&gt;</title>" in page
    assert done.stdout == f"{out / PAGE}: {len(page.encode()) / 1e6:.1f} MB\n"
    (out / "thesis.tex").write_text("")
    refused = CliRunner().invoke(app, empty)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "holds something else than a report (thesis.tex)" in refused.stderr


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ([], "holds no finished run with answers"),
        (["--dataset", "zz"], "no dataset 'zz': the store holds none yet"),
        (["--where", "lm"], "--where must be COLUMN=VALUE, got 'lm'"),
        (["--max-mb", "0"], "--max-mb must be above 0, got 0"),
    ],
)
def test_what_cannot_be_told_is_one_line(args: list[str], said: str, tmp_path: Path) -> None:
    path = tmp_path / "x.duckdb"
    Store.open(path).close()
    given = ["report", "--store", str(path), "--output", str(tmp_path / "out"), *args]
    done = CliRunner().invoke(app, given)
    assert done.exit_code == 1
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.fixture
def browser() -> Any:
    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not chromedriver:
        pytest.skip("needs chromium and chromedriver")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1200,800"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(chromedriver))
    yield driver
    driver.quit()


def until(driver: Any, script: str) -> None:
    """Wait until a script says true, for ten seconds at most."""
    end = time.monotonic() + 10
    while not driver.execute_script(f"return Boolean({script})"):
        assert time.monotonic() < end, script
        time.sleep(0.05)


def test_it_works_in_a_browser(text: str, tmp_path: Path, browser: Any) -> None:
    (tmp_path / PAGE).write_text(text)
    browser.get((tmp_path / PAGE).as_uri())
    browser.execute_script("document.querySelector('#figure-ablation').scrollIntoView()")
    until(browser, "document.querySelector('#figure-ablation svg')")
    browser.execute_script("location.hash = 'hypernym-0'")
    until(browser, "document.querySelector('#hypernym-0[open] img[src]')?.naturalWidth === 96")
    field = browser.find_element("css selector", "input[data-filter=tree]")
    field.send_keys("parr")
    shown = "[...document.querySelectorAll('#tree [data-name]')].filter(e => e.checkVisibility())"
    until(browser, f"{shown}.length === 2")
    assert browser.execute_script("return document.getElementById('tree-found').textContent") == (
        "1 found"
    )
    before = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    browser.find_element("id", "theme").click()
    after = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert before != after
    assert browser.get_log("browser") == []  # no error, and nothing that the policy stopped
