"""Models by hub name or folder: which commit a name means, and what goes wrong, in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from taxonomy.errors import ConfigError, DataError
from xmodal.quiet import quiet_transformers


@contextmanager
def loading(subject: str, name: str) -> Iterator[None]:
    """Load a model in here: nothing is written to stderr, and errors are one line.

    Args:
        subject: What the line begins with, such as "lm 'name'".
        name: The folder or hub name.

    Raises:
        DataError: The model cannot be found or read.
    """
    from safetensors import SafetensorError

    try:
        with quiet_transformers():
            yield
    except (OSError, ValueError, ImportError, RuntimeError, SafetensorError) as error:
        kind = "folder" if Path(name).exists() else "local folder or hub model"
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise DataError(f"{subject} cannot be loaded as a {kind}: {reason}") from error


def pinned(name: str, revision: str | None) -> str | None:
    """The commit that a hub model's revision stands for now.

    What is read afterwards with it is of one commit, whatever is pushed in between.

    Args:
        name: A local folder, or a name on the hub.
        revision: Branch, tag or commit; None for the main branch.

    Returns:
        40 hexadecimal digits; None for a local folder.

    Raises:
        ConfigError: A revision of a folder.
        OSError: A folder without config.json, or a name or revision that the hub does not have.
    """
    from transformers.utils.hub import cached_file, extract_commit_hash

    if Path(name).is_dir():
        if not Path(name, "config.json").is_file():
            raise OSError("it holds no config.json")
        if revision is not None:
            raise ConfigError(
                f"revision is for models on the hub, and {name!r} is a folder, got {revision!r}: "
                "leave revision out"
            )
        return None
    file = cached_file(name, "config.json", revision=revision)
    found: str | None = extract_commit_hash(file, None)
    return found
