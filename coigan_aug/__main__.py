"""`python -m coigan_aug` is `coigan-aug`."""

from __future__ import annotations

from coigan_aug.cli.main import main

if __name__ == "__main__":
    main()
