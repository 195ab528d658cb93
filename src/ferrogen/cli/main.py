"""The ``ferrogen`` command: errors become one line, exit code 2."""

from __future__ import annotations

import os
import sys

# OpenMP threads spin at barriers by default, which makes a shared machine many times slower. Read when torch is
# imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import typer

from ferrogen.cli.characterise import characterise
from ferrogen.cli.evaluate import evaluate
from ferrogen.cli.generate import generate
from ferrogen.cli.sweep import sweep
from ferrogen.cli.train import train
from ferrogen.core.errors import FerrogenError

app = typer.Typer(
    name="ferrogen",
    help="Generative hardware from ferroelectric tunnel junctions: noise in, images out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(generate)
app.command()(evaluate)
app.command()(sweep)
app.command()(characterise)
app.command()(train)


def main() -> None:
    """Run the command line."""
    try:
        app()
    except FerrogenError as error:
        sys.stderr.write(f"ferrogen: {error}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.stderr.write("ferrogen: interrupted.\n")
        sys.exit(130)
