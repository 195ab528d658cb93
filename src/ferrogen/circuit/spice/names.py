"""Names of nodes, elements and subcircuits that a SPICE netlist can hold.

ngspice folds case, reads a line break as the end of an element, and takes ``0`` and ``gnd`` for ground: a name is
therefore a letter, then letters, digits and underscores, and two names that differ in case only are one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from ferrogen.core.errors import argument_error

LONGEST_NAME: Final = 64
GROUND: Final = "0"

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)
# Ground under other names, variables and functions of the B-source language, and what `.param` text may not shadow.
RESERVED: Final = frozenset({
    "gnd", "ground", "time", "temper", "hertz", "pi", "e", "boltz", "planck", "echarge", "kelvin", "no", "yes", "true",
    "false", "vntol", "abstol", "reltol", "gmin", "and", "or", "not", "div", "mod", "if", "then", "else", "v", "i",
})  # fmt: skip


def check_name(name: str, what: str = "name") -> str:
    """Return ``name`` as ngspice will see it, in lower case.

    Args:
        name: of a node, an element (without its letter) or a subcircuit.
        what: the argument's public name, for the message.

    Raises:
        ArgumentError: no text, too long, with characters that no netlist name should have, or reserved.
    """
    remedy = f"Use a letter, then letters, digits and underscores, at most {LONGEST_NAME} of them: 'word_line_3'."
    if _NAME.fullmatch(str(name)) is None or len(name) > LONGEST_NAME:
        shown = repr(name)
        raise argument_error(
            what, "be a name that a netlist can hold", shown if len(shown) < 60 else f"{shown[:50]}...", remedy
        )
    if name.lower() in RESERVED:
        raise argument_error(what, "not be a word that the simulator has taken", repr(name), "Choose another word.")
    return name.lower()


def check_names(names: Iterable[str], what: str = "names") -> tuple[str, ...]:
    """Return names in lower case, all different.

    Raises:
        ArgumentError: a name that :func:`check_name` refuses, or two that differ in case only or not at all.
    """
    seen: dict[str, str] = {}
    for name in names:
        folded = check_name(name, what)
        if folded in seen:
            raise argument_error(
                what, "differ in more than case, which a simulator ignores", f"{seen[folded]!r} and {name!r}"
            )
        seen[folded] = name
    return tuple(seen)


def numbered(stem: str, *indices: int) -> str:
    """Return the name of an element of an array: ``numbered("r", 3, 5)`` is ``r_3_5``.

    Raises:
        ArgumentError: a stem that is no name, or a negative index.
    """
    if any(index < 0 for index in indices):
        raise argument_error("indices", "not be negative", indices)
    return check_name("_".join([stem, *(str(int(index)) for index in indices)]), "stem")
