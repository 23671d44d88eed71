"""Keep libraries from writing where our own progress and messages go."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def quiet_transformers() -> Iterator[None]:
    """Keep bars and reports of transformers and of its hub client off stderr.

    Errors are raised all the same.
    """
    import huggingface_hub
    import transformers

    logging: Any = transformers.utils.logging
    hub: Any = huggingface_hub.utils.logging
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    hub_level = hub.get_verbosity()
    logging.set_verbosity_error()
    hub.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        hub.set_verbosity(hub_level)
        if bars:
            logging.enable_progress_bar()
