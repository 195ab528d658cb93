"""The cases of an ablation: what there is of the chip's imperfections in each, and with what value.

``alone``: on an otherwise ideal chip, beside the ideal. ``left out``: of the whole chip, beside the whole chip.
``added``: to the whole chip, what it has not by default, beside the whole chip.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from ferrogen.array.programming import WriteVerify
from ferrogen.chip.aging import Age
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.spec import ChipSpec
from ferrogen.circuit.amplifier import Amplifier
from ferrogen.circuit.converters import ADC, DAC
from ferrogen.circuit.wires import Wires
from ferrogen.core.errors import argument_error, check_number
from ferrogen.device.card import DeviceCard
from ferrogen.generation.ablation.latents import FULL_SAMPLER, IDEAL_SAMPLER, SamplerSwitches
from ferrogen.generation.ablation.products import FULL_PRODUCTS, IDEAL_PRODUCTS, ProductSwitches
from ferrogen.sampler.latents import SamplerSpec

Part = Literal["whole", "sampler", "products"]
How = Literal["reference", "alone", "left out", "added"]

IDEAL: Final = "ideal"
WHOLE: Final = "whole chip"


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the ablation.

    Attributes:
        name: of the imperfection, or of the reference.
        part: of the chip that it belongs to.
        how: see the head of this file.
        sampler: what there is of the sampler's imperfections.
        products: what there is of those of products; None: the float32 decoder.
        value: how large the imperfection is.
        assumed: whether that value is a stand-in, not the paper's or measured.
    """

    name: str
    part: Part
    how: How
    sampler: SamplerSwitches
    products: ProductSwitches | None
    value: str
    assumed: bool = True

    @property
    def base(self) -> str:
        """Name of the reference it is compared with."""
        return IDEAL if self.how in ("reference", "alone") else WHOLE

    @property
    def label(self) -> str:
        """The name, and how it is looked at."""
        return self.name if self.how == "reference" else f"{self.name}, {self.how}"


@dataclass(frozen=True, slots=True)
class Stresses:
    """What the whole chip does not have by default. All assumed, source none.

    Attributes:
        stuck: share of stuck cells, half on and half off [1]; 0: not studied.
        warmer: than when the chip was calibrated [K]; 0: not studied.
        cycles: of the chip since it was calibrated; with ``storage``, 0: not studied.
        storage: without voltage before that [s].
    """

    stuck: float = 0.01
    warmer: float = 10.0
    cycles: float = 1e6
    storage: float = 1e6

    def __post_init__(self) -> None:
        for name, unit in (("stuck", "1 (a share)"), ("warmer", "K"), ("cycles", "cycles"), ("storage", "s")):
            check_number(name, getattr(self, name), unit, may_vanish=True)


_SAMPLER: Final = {
    "calibration": "finite calibration reads",
    "links": "correlation between cycles",
    "shape": "non-normal readings (few traps)",
    "converter": "sample converter",
}
_PRODUCTS: Final = {
    "spread": "cells out of reach",
    "levels": "conductance levels",
    "programming": "programming",
    "telegraph": "telegraph noise",
    "sharing": "cells that also sample",
    "amplifier": "amplifier and shot noise",
    "input_converter": "input converter",
    "rounding": "output rounding",
    "clipping": "output clipping",
    "wires": "wires",
}
# What has no effect of its own without another one: alone means on top of it.
_NEEDS: Final = {"sharing": "telegraph"}


def ablation_cases(
    card: DeviceCard,
    spec: ChipSpec,
    point: OperatingPoint,
    sampler: SamplerSpec,
    stresses: Stresses | None = None,
) -> list[Case]:
    """Return all cases, the references first.

    Args:
        card: of the cells.
        spec: of the chip.
        point: operating point.
        sampler: how latents are read.
        stresses: what is added to the whole chip; the default ones, if not given.
    """
    given = Stresses() if stresses is None else stresses
    values = _values(card, spec, point, sampler)
    full = FULL_PRODUCTS
    cases = [
        Case(IDEAL, "whole", "reference", IDEAL_SAMPLER, None, "float32 decoder, normal latents", assumed=False),
        Case("ideal chip", "whole", "reference", IDEAL_SAMPLER, IDEAL_PRODUCTS, "all switched off", assumed=False),
        Case("sampler only", "whole", "reference", FULL_SAMPLER, None, "chip's latents, float32 decoder"),
        Case("products only", "whole", "reference", IDEAL_SAMPLER, full, "normal latents, chip's products"),
        Case(WHOLE, "whole", "reference", FULL_SAMPLER, full, "chip's latents and products"),
    ]
    traps = replace(IDEAL_SAMPLER, amplifier=False, shape=True, links=True)
    quiet = replace(FULL_SAMPLER, telegraph=False)
    cases += [
        Case("telegraph noise only", "sampler", "alone", traps, None, *values["telegraph"]),
        Case("amplifier and converter only", "sampler", "alone", quiet, None, "no traps at all"),
    ]
    for name, title in _SAMPLER.items():
        cases.append(_sampler_case(title, "alone", replace(IDEAL_SAMPLER, **{name: True}), None, values[name]))
    for name, title in _SAMPLER.items():
        cases.append(_sampler_case(title, "left out", replace(FULL_SAMPLER, **{name: False}), full, values[name]))
    for name, title in _PRODUCTS.items():
        alone = _switched(IDEAL_PRODUCTS, name, to=True)
        if name in _NEEDS:
            alone = _switched(alone, _NEEDS[name], to=True)
        cases.append(Case(title, "products", "alone", IDEAL_SAMPLER, alone, *values[name]))
    with_traps = replace(IDEAL_PRODUCTS, telegraph=True)
    added = _added(given, with_traps)
    for title, value, alone, _ in added:
        cases.append(Case(title, "products", "alone", IDEAL_SAMPLER, alone, value))
    for name, title in _PRODUCTS.items():
        left = _switched(full, name, to=False)
        if name == "telegraph":
            left = replace(left, sharing=False)
        cases.append(Case(title, "products", "left out", FULL_SAMPLER, left, *values[name]))
    for title, value, _, changed in added:
        cases.append(Case(title, "products", "added", FULL_SAMPLER, changed, value))
    return cases


def choose_cases(cases: Sequence[Case], names: Sequence[str]) -> list[Case]:
    """Return the references and the cases of some imperfections.

    Args:
        cases: of :func:`ablation_cases`.
        names: of imperfections.

    Raises:
        ArgumentError: a name that no imperfection has.
    """
    known = list(dict.fromkeys(case.name for case in cases if case.how != "reference"))
    for name in names:
        if name not in known:
            raise argument_error("only", f"hold names of imperfections: {', '.join(known)}", repr(name))
    return [case for case in cases if case.how == "reference" or case.name in names]


def _switched(switches: ProductSwitches, name: str, *, to: bool) -> ProductSwitches:
    changed: Any = {name: to}
    return replace(switches, **changed)


def _sampler_case(
    title: str, how: How, switches: SamplerSwitches, products: ProductSwitches | None, value: tuple[str, bool]
) -> Case:
    return Case(title, "sampler", how, switches, products, *value)


def _added(given: Stresses, with_traps: ProductSwitches) -> list[tuple[str, str, ProductSwitches, ProductSwitches]]:
    """Return (title, value, alone, added to the whole chip) of all that a chip has not by default."""
    full = FULL_PRODUCTS
    remembered = replace(with_traps, memory=True), replace(full, memory=True)
    rows = [("noise that lasts", "every bin of traps remembered", *remembered)]
    if given.stuck > 0.0:
        text = f"{100.0 * given.stuck:g} % of the cells, half on"
        rows.append(("stuck cells", text, replace(IDEAL_PRODUCTS, stuck=given.stuck), replace(full, stuck=given.stuck)))
    if given.warmer > 0.0:
        text = f"{given.warmer:g} K warmer than when calibrated"
        warm = replace(with_traps, amplifier=True, warmer=given.warmer)
        rows.append(("temperature", text, warm, replace(full, warmer=given.warmer)))
    if given.cycles > 0.0 or given.storage > 0.0:
        age = Age(cycles=given.cycles, storage_time=given.storage)
        text = f"{given.storage:g} s stored and {given.cycles:g} cycles since calibration"
        rows.append(("age", text, replace(IDEAL_PRODUCTS, age=age), replace(full, age=age)))
    return rows


def _values(
    card: DeviceCard, spec: ChipSpec, point: OperatingPoint, sampler: SamplerSpec
) -> dict[str, tuple[str, bool]]:
    """Return (value, whether it is assumed) of every imperfection."""
    real, how = spec.periphery, spec.programming

    def of_card(name: str, text: str) -> tuple[str, bool]:
        return text, getattr(card, name).status == "assumed"

    spread = card.on_conductance.spread
    traps = of_card("traps_per_cell", f"{card.traps_per_cell.value:g} traps a cell")
    cells = 2 * sampler.pairs_per_latent * spec.rows
    amplifier = real.multiply_amplifier
    noise = f"{1e9 * amplifier.voltage_noise:g} nV/rtHz" if isinstance(amplifier, Amplifier) else "none"
    volts = f"{amplifier.feedback_resistance:g} Ohm, {noise}" if isinstance(amplifier, Amplifier) else "none"
    bits = real.multiply_adc.bits if isinstance(real.multiply_adc, ADC) else 0
    inputs = f"{real.dac.bits} bits" if isinstance(real.dac, DAC) else type(real.dac).__name__
    wires = real.wires
    ohms = f"{wires.row_segment:g} and {wires.column_segment:g} Ohm a cell" if isinstance(wires, Wires) else "none"
    pulses = (
        f"within {100.0 * how.tolerance:g} % of the window, at most {how.max_pulses} pulses"
        if isinstance(how, WriteVerify)
        else "ideal"
    )
    levels = "any" if spec.continuous_levels else f"{card.programmable_levels.value:g} levels"
    sample = real.sample_adc
    return {
        "calibration": (f"{sampler.calibration_reads} reads", True),
        "links": (f"{point.reset:g} s of rest between latents", True),
        "shape": (f"{traps[0]}, {cells} cells a latent", True),
        "converter": (f"{sample.bits} bits" if isinstance(sample, ADC) else type(sample).__name__, True),
        "spread": of_card(
            "on_conductance", f"{100.0 * (spread.value or 0.0):g} % from cell to cell" if spread else "none"
        ),
        "levels": of_card("programmable_levels", levels),
        "programming": (pulses, True),
        "telegraph": traps,
        "sharing": (f"at {point.sample_voltage:g} V", True),
        "amplifier": (volts, True),
        "input_converter": (inputs, True),
        "rounding": (f"{bits} bits", True),
        "clipping": (f"range of least error at {bits} bits", True),
        "wires": (ohms, True),
    }
