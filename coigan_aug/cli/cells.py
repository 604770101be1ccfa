"""Names in tables on a terminal: as they are, neither markup nor signs that steer it."""

from __future__ import annotations

from rich.text import Text

from coigan_aug.errors import plain


def name_cell(name: str) -> Text:
    """Return a name as the cell of a table; control signs and line ends are spelled out.

    >>> name_cell("[red]pit\\x07").plain
    '[red]pit\\\\x07'
    """
    return Text(plain(name).replace("\n", "\\n").replace("\t", "\\t"))
