"""The served pages in a real browser, where one is installed."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.cli.tiny_store import Tiny
from tests.xmodal.tiny import environment
from xmodal.asking import Asker, read_picture_file

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium is installed")


@pytest.fixture(scope="module")
def address(trained: Tiny) -> Iterator[str]:
    """Of a server that was started as a user does, on a free port."""
    command = [sys.executable, "-m", "cli", "serve", "--store", str(trained.store)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment())
    try:
        assert server.stdout is not None
        (url,) = [w for w in server.stdout.readline().split() if w.startswith("http://127.0.0.1:")]
        yield url
    finally:
        server.terminate()
        server.wait(10)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    profile = tmp_path_factory.mktemp("profile")
    for argument in ("--headless=new", "--no-sandbox", "--window-size=1000,800"):
        options.add_argument(argument)
    options.add_argument(f"--user-data-dir={profile}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    driver.implicitly_wait(10)
    yield driver
    driver.quit()


def test_click_filter_upload(
    browser: Any, address: str, trained: Tiny, run_id: str, picture: Path
) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import Select

    def scrolled(selector: str) -> Any:
        (one,) = browser.find_elements(By.CSS_SELECTOR, selector)
        script = "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})"
        browser.execute_script(script, one)
        return one

    browser.get(address)
    browser.find_element(By.LINK_TEXT, "bird").click()
    assert browser.find_element(By.TAG_NAME, "h1").text == "bird"
    shown = browser.find_elements(By.CSS_SELECTOR, ".pictures > li")
    assert {one.get_attribute("class") for one in shown} == {"right", "wrong"}
    wrong = [one for one in shown if one.get_attribute("class") == "wrong"]
    # by the page's own script, at once
    Select(browser.find_element(By.NAME, "answer")).select_by_value("wrong")
    browser.find_element(By.CSS_SELECTOR, "option[value=wrong][selected]")
    left = browser.find_elements(By.CSS_SELECTOR, ".pictures > li")
    assert len(left) == len(wrong) < len(shown)
    loaded = "return [...document.images].every((one) => one.complete && one.naturalWidth > 0)"
    assert browser.execute_async_script(
        "const done = arguments[0];"
        "Promise.all([...document.images].map((one) => { one.loading = 'eager'; "
        "return one.decode(); })).then(() => done(true), (error) => done(String(error)));"
    )
    assert browser.execute_script(loaded)

    browser.get(f"{address}try?run={run_id}")
    browser.find_element(By.NAME, "concepts").send_keys("bird, tool")
    browser.find_element(By.NAME, "picture").send_keys(str(picture))
    scrolled("form.try button").click()
    browser.find_element(By.ID, "answers-h")
    said = [one.text for one in browser.find_elements(By.CSS_SELECTOR, "section tbody td.n")]
    asked = Asker.load(trained.store, run_id).ask(read_picture_file(picture), ["bird", "tool"])
    assert said[::2] == [f"{one.p_yes:.3f}" for one in asked]

    image = Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert("RGB")
    colours = image.getcolors(maxcolors=1 << 24)
    assert colours is not None
    assert max(n for n, _ in colours) < 0.97 * image.width * image.height, "a blank page"
    problems = [one for one in browser.get_log("browser") if one["level"] == "SEVERE"]
    assert problems == []
