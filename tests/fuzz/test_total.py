"""How many cases `make fuzz` has run; the last file, so that all others have run before."""

from __future__ import annotations

import pytest

from tests.fuzz.case import COUNTS, REFUSED
from tests.fuzz.readers import NAMES

LEAST = 10_000
ALL = {*NAMES, "sync-vlm", "sync-align", "sync-binding", "import", "store"}


@pytest.mark.fuzz
def test_there_were_at_least_ten_thousand_cases(capsys: pytest.CaptureFixture[str]) -> None:
    if not COUNTS.keys() >= ALL:
        pytest.skip("only some of the readers have run")
    with capsys.disabled():
        print(f"\nfuzz: {COUNTS.total()} cases, {REFUSED.total()} refused by readers")
    assert COUNTS.total() >= LEAST
