"""The ``ferrogen`` command: errors become one line, exit code 2."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

# OpenMP threads spin at barriers by default, which makes a shared machine many times slower. Read when torch is
# imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import typer

from ferrogen.cli.ablate import ablate
from ferrogen.cli.calibrate import calibrate
from ferrogen.cli.characterise import characterise
from ferrogen.cli.classes import classes
from ferrogen.cli.endure import endure
from ferrogen.cli.evaluate import evaluate
from ferrogen.cli.export import export
from ferrogen.cli.faults import faults
from ferrogen.cli.generate import generate
from ferrogen.cli.interpolate import interpolate
from ferrogen.cli.reconstruct import reconstruct
from ferrogen.cli.sweep import sweep
from ferrogen.cli.train import train
from ferrogen.cli.traverse import traverse
from ferrogen.cli.verify import verify
from ferrogen.core.errors import FerrogenError, InterruptionError

app = typer.Typer(
    name="ferrogen",
    help="Generative hardware from ferroelectric tunnel junctions: noise in, images out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(generate)
app.command()(interpolate)
app.command()(reconstruct)
app.command()(traverse)
app.command()(evaluate)
app.command()(sweep)
app.command()(characterise)
app.command()(calibrate)
app.command()(train)
app.command()(classes)
app.command()(endure)
app.command()(export)
app.command()(faults)
app.command()(ablate)
app.command()(verify)


_INTERRUPTED = 130
# click's UsageError, which typer does not export (and which some versions of typer bring along themselves).
_UsageError: type[Exception] = typer.BadParameter.__bases__[0]


def main() -> None:
    """Run the command line."""
    try:
        # Without arguments typer shows the help, with them it hands over usage errors, and exit codes as a result.
        code = app(standalone_mode=not sys.argv[1:])
    except InterruptionError as error:
        _stop(str(error), _INTERRUPTED)
    except FerrogenError as error:
        _stop(str(error), 2)
    except _UsageError as error:
        context = getattr(error, "ctx", None)
        hint = f" See '{context.command_path} --help'." if context is not None else ""
        message = str(getattr(error, "format_message", error.__str__)()).replace("Value error, ", "")
        _stop(f"{message.rstrip('.')}.{hint}", 2)
    except (KeyboardInterrupt, typer.Abort):
        code = _INTERRUPTED
    if code == _INTERRUPTED:  # typer turns Ctrl-C into this code
        _stop("interrupted.", code)
    sys.exit(code)


def _stop(message: str, code: int) -> NoReturn:
    sys.stderr.write(f"ferrogen: {' '.join(message.split())}\n")
    sys.exit(code)
