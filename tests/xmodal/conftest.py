"""One tiny LM for all tests that need no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.xmodal import tiny
from xmodal.lms.causal import LanguageModel, load_lm


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tiny")


@pytest.fixture(scope="session")
def lm_folder(folder: Path) -> Path:
    return tiny.save_lm(folder / "lm")


@pytest.fixture(scope="session")
def lm(lm_folder: Path) -> LanguageModel:
    return load_lm(str(lm_folder))
