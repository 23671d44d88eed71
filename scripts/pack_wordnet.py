"""Pack the noun files of a WordNet 3.0 folder for the bundle.

Usage: python scripts/pack_wordnet.py [/usr/share/wordnet]   (Debian's wordnet-base)
"""

from __future__ import annotations

import json
import lzma
import sys
from hashlib import sha256
from pathlib import Path

from xmodal.bundle.wordnet_files import EMPTY, PACKED, PLAIN

TARGET = Path(__file__).parents[1] / "xmodal" / "bundle" / "data" / "wordnet"


def main(source: Path) -> None:
    """Compress the noun files and write the size and sha256 of every file."""
    contents = {name: (source / name).read_bytes() for name in PACKED}
    for name, content in contents.items():
        packed = lzma.compress(content, preset=9 | lzma.PRESET_EXTREME)
        (TARGET / f"{name}.xz").write_bytes(packed)
    contents |= {name: (TARGET / name).read_bytes() for name in PLAIN}
    contents |= dict.fromkeys(EMPTY, b"")
    checks = {
        name: {"n_bytes": len(content), "sha256": sha256(content).hexdigest()}
        for name, content in sorted(contents.items())
    }
    (TARGET / "files.json").write_text(json.dumps(checks, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "/usr/share/wordnet"))
