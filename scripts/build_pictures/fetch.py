"""Fetch and unpack the packages that hold the artwork, by name and version."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from pathlib import Path


def package_folder(package: str, cache: Path) -> Path:
    """The unpacked package, fetched once with npm or apt-get.

    Args:
        package: An npm package@version, or deb:package=version.
        cache: Where packages are kept between runs.

    Returns:
        A folder with the package's files.
    """
    folder = cache / package.replace("/", "_").replace(":", "_")
    if folder.is_dir():
        return folder
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    if package.startswith("deb:"):
        _run(["apt-get", "download", package.removeprefix("deb:")], part)
        _run(["dpkg-deb", "-x", next(part.glob("*.deb")).name, "."], part)
    else:
        _run(["npm", "pack", "--silent", package], part)
        with tarfile.open(next(part.glob("*.tgz"))) as tar:
            tar.extractall(part, filter="data")
    part.rename(folder)
    return folder


def _run(command: list[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True)
