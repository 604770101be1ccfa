"""One progress bar after the other, for work in several long steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from coigan_aug.progress import Report, progress


@contextmanager
def steps(*, quiet: bool) -> Iterator[Callable[[str], Report]]:
    """Give a function that begins a step by its title, ending the one before, and returns what reports it."""
    with ExitStack() as stack:

        def begin(title: str) -> Report:
            stack.close()
            return stack.enter_context(progress(title, quiet=quiet))

        yield begin
