"""What the machine allows."""

from __future__ import annotations

from pathlib import Path

import pytest

from taxonomy.errors import ConfigError
from xmodal.machine import _group_limits, bytes_meant, memory_of_machine


@pytest.mark.parametrize(
    ("given", "n_bytes"),
    [
        ("2GB", 2_000_000_000),
        ("1.5 GiB", 1_610_612_736),
        (" 512mb ", 512_000_000),
        ("1KiB", 1024),
        ("3TB", 3_000_000_000_000),
        ("7B", 7),
    ],
)
def test_sizes(given: str, n_bytes: int) -> None:
    assert bytes_meant(given) == n_bytes


@pytest.mark.parametrize("given", ["", "2", "GB", "-1GB", "1e9B", "2 G B", "50%", "٢GB"])
def test_what_is_no_size(given: str) -> None:
    with pytest.raises(ConfigError, match=r"^a size must be a number and MB, GB, MiB or GiB, got"):
        bytes_meant(given)


def group(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(f"{text}\n")


def test_limits_of_a_group_and_of_those_above_it(tmp_path: Path) -> None:
    """Version 2: the least of them counts, and `max` is none."""
    proc, root = tmp_path / "cgroup", tmp_path / "fs"
    proc.write_text("0::/jobs/7/step\n")
    group(root, "jobs/7/step/memory.max", "max")
    group(root, "jobs/7/memory.max", "4000")
    group(root, "jobs/memory.max", "9000")
    assert sorted(_group_limits(proc, root)) == [4000, 9000]


def test_limits_of_an_older_group_whose_path_is_not_seen(tmp_path: Path) -> None:
    """Version 1 in a container, where its own group is the top one."""
    proc, root = tmp_path / "cgroup", tmp_path / "fs"
    proc.write_text("9:name=systemd:/\n4:cpu,memory:/docker/abc\n")
    group(root, "memory/memory.limit_in_bytes", "5000")
    assert list(_group_limits(proc, root)) == [5000]
    assert list(_group_limits(tmp_path / "none", root)) == []


def test_some_memory_is_here() -> None:
    assert memory_of_machine() > 100 * 2**20
