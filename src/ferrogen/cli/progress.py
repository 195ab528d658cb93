"""Progress bars on standard error, so that standard output stays clean for ``--json``."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress


def _bar(*, quiet: bool) -> Progress:
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    # A bar that nobody watches would leave stray lines in a log.
    return Progress(console=console, disable=quiet or not console.is_terminal, transient=True)


@contextlib.contextmanager
def counting(title: str, total: int, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Show a bar that is advanced by counts."""
    with _bar(quiet=quiet) as bar:
        task = bar.add_task(title, total=total)
        yield lambda step: bar.advance(task, step)


@contextlib.contextmanager
def stages(*, quiet: bool) -> Iterator[Callable[[str, float], None]]:
    """Show a bar that is told the stage and the finished fraction."""
    with _bar(quiet=quiet) as bar:
        task = bar.add_task("starting", total=1.0)
        yield lambda stage, done: bar.update(task, description=stage, completed=done)
