"""`python -m cli` is the same program as `xmodal`."""

from __future__ import annotations

from cli.main import main

if __name__ == "__main__":
    main()
