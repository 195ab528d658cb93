"""The text of a netlist: numbers with all their digits, elements, comments that cannot become anything else.

ngspice 39 keeps eleven digits of a number that stands in a B-source expression, and sixteen of one that comes in as a
parameter (``{name}``) or as an element's own value. So numbers of expressions are parameters here.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from ferrogen.circuit.spice.names import GROUND, check_name
from ferrogen.circuit.spice.run import RESULTS
from ferrogen.core.errors import argument_error

ACCURATE: Final[Mapping[str, float]] = MappingProxyType(
    {
        "reltol": 1e-8,
        "vntol": 1e-12,
        "abstol": 1e-21,
        "gmin": 1e-21,
        "pivtol": 1e-30,
        "pivrel": 1e-3,
        "itl1": 1000,
    }
)
"""Simulator options under which operating points are good to the last digits that the matrix leaves.

Newton's method stops when no unknown changes by more than these; the next step would be of the order of their square,
so finer ones gain nothing, and where rounding of a floating line exceeds them it never stops. `gmin` lies nine decades
below 1 pS. `pivtol` is absolute, and the default of 1e-13 is larger than the diagonal of a node with two resistors of
1e14 Ohm.
"""

_WIDTH = 110


def number(value: float) -> str:
    """Return a number with as many digits as it takes to read the same one again.

    Raises:
        ArgumentError: it is not finite; a netlist has no infinity.
    """
    if not math.isfinite(value):
        raise argument_error("value", "be finite, as every number of a netlist", value)
    return repr(float(value))


def comment(text: str) -> str:
    """Return text as lines of comment, ASCII, however it is broken; a line of it can not become an element."""
    lines: list[str] = []
    for line in text.splitlines() or [""]:
        plain = line.translate(_TO_ASCII).encode("ascii", errors="replace").decode("ascii")
        clean = "".join(c if c.isprintable() else " " for c in plain)
        lines.extend(f"* {part}".rstrip() for part in textwrap.wrap(clean, _WIDTH) or [""])
    return "\n".join(lines)


_TO_ASCII = str.maketrans({"µ": "u", "μ": "u", "Ω": "Ohm", "°": " deg", "²": "2", "³": "3"})


def element(letter: str, name: str, nodes: Sequence[str], value: str) -> str:
    """Return the line of an element, such as ``R_row_0_1 r_0_1 r_0_2 2.5``.

    Args:
        letter: its kind: ``R``, ``C``, ``V``, ``I``, ``B``, ``X``, ``H``, ...
        name: of this one; a netlist name.
        nodes: names of its nodes; ``0`` is ground.
        value: the rest of the line, on one line.

    Raises:
        ArgumentError: names that a netlist cannot hold, or a value of several lines.
    """
    if len(letter) != 1 or not (letter.isascii() and letter.isalpha()):
        raise argument_error("letter", "be one letter, the kind of the element", repr(letter))
    for node in nodes:
        if node != GROUND:
            check_name(node, "nodes")
    if len(value.splitlines()) > 1 or not value.isascii():
        raise argument_error("value", "be one line of ASCII", repr(value[:60]))
    return wrapped(f"{letter}_{check_name(name)} {' '.join(nodes)} {value}")


def wrapped(line: str) -> str:
    """Return a long line broken at spaces, with ``+`` in front of what continues it."""
    if len(line) <= _WIDTH:
        return line
    parts = textwrap.wrap(line, _WIDTH, break_long_words=False, break_on_hyphens=False)
    return "\n+ ".join(parts)


def control_section(commands: Sequence[str]) -> list[str]:
    """Return the lines of a ``.control`` section that runs commands and ends well.

    Results go in binary to the file of :func:`ferrogen.circuit.spice.run.run_ngspice`: the first command that
    :func:`write_results` makes begins it anew, the others append.
    """
    for command in commands:
        if len(command.splitlines()) != 1 or not command.isascii():
            raise argument_error("commands", "be single lines of ASCII", repr(command[:60]))
    first = next((k + 1 for k, command in enumerate(commands) if command.startswith("write ")), len(commands))
    appending = ["set appendwrite"] if first < len(commands) else []
    lines = [*commands[:first], *appending, *commands[first:]]
    return [".control", "set filetype=binary", *lines, "quit 0", ".endc"]


def write_results(vectors: Sequence[str] = ()) -> str:
    """Return the command that writes vectors of the present plot to the results; all of them, if none is named."""
    return " ".join(("write", RESULTS, *vectors))


@dataclass(frozen=True, slots=True)
class Deck:
    """A netlist, part by part.

    Attributes:
        title: first line, which every simulator skips.
        header: comment below it: provenance, what is assumed, how to run it.
        parts: blocks of lines (subcircuits, elements), each with its heading.
        options: simulator options.
        control: commands of the ``.control`` section; without any the deck has no such section.
    """

    title: str
    header: str = ""
    parts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    options: Mapping[str, float] = field(default_factory=lambda: ACCURATE)
    control: Sequence[str] = ()

    def text(self) -> str:
        """Return the whole netlist.

        Raises:
            ArgumentError: an option that is no name, or commands that are no single lines.
        """
        first = comment(" ".join(self.title.split())).splitlines()[0]
        lines = [first, comment(self.header)] if self.header else [first]
        for heading, block in self.parts.items():
            if block:
                lines += ["*", comment(heading), *block]
        if self.options:
            given = [f"{_option(name)}={number(value)}" for name, value in self.options.items()]
            lines += ["*", wrapped(".options " + " ".join(given))]
        if self.control:
            lines += control_section(self.control)
        return "\n".join([*lines, ".end", ""])


def _option(name: str) -> str:
    if not (name.isascii() and name.isidentifier()):
        raise argument_error("options", "have names of letters and digits", repr(name))
    return name.lower()
