"""Libraries are quiet while an LM is read, and as they were afterwards."""

from __future__ import annotations

import logging

import pytest

from xmodal.quiet import quiet_transformers

LOGGERS = ("transformers", "huggingface_hub")


@pytest.mark.parametrize("name", LOGGERS)
def test_warnings_are_held_back_only_inside(name: str) -> None:
    logger = logging.getLogger(f"{name}.somewhere")
    before = logger.getEffectiveLevel()
    with quiet_transformers():
        assert not logger.isEnabledFor(logging.WARNING)
        assert logger.isEnabledFor(logging.ERROR)
    assert logger.getEffectiveLevel() == before


def test_levels_come_back_after_an_error() -> None:
    with quiet_transformers():
        pass  # a library sets its level when it is first asked
    before = [logging.getLogger(name).level for name in LOGGERS]
    with pytest.raises(OSError, match="no such model"), quiet_transformers():
        raise OSError("no such model")
    after = [logging.getLogger(name).level for name in LOGGERS]
    assert after == before
