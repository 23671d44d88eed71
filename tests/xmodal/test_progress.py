"""The line that stands in for a bar."""

from __future__ import annotations

import pytest

from xmodal import progress


def test_the_line_tells_rate_and_time_left_of_this_call() -> None:
    # 1,000 were there; 500 in 20 s are 25 a second; 1,500 are left, a minute of them
    line = progress.rate_line("pictures", 1500, 3000, 500, 20.0)
    assert line == "pictures: 1500 of 3000, 25.0/s, 0:01:00 left"
    assert progress.rate_line("pictures", 1000, 3000, 0, 0.0) == "pictures: 1000 of 3000"


def test_a_line_now_and_then_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0.0)
    with progress.counter("pictures") as move:
        move(10, 30)
        move(20, 30)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("pictures: 10 of 30\npictures: 20 of 30, ")
    assert said.err.endswith(" left\n")
