"""What is measured on a capacitor: loops, minor loops, PUND, first-order reversal curves, switching currents."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.constants import epsilon_0

from ferrogen.core.errors import argument_error, check_number, is_whole
from ferrogen.device import waveforms
from ferrogen.device.polarization.models import PolarizationModel
from ferrogen.device.waveforms import Waveform

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Loop:
    """One cycle of a loop, one entry a step.

    Attributes:
        field: during the step [V/m].
        polarization: in the middle of the step [C/m^2].
        time: in the middle of the step, from the start of the cycle [s].
    """

    field: Array
    polarization: Array
    time: Array


@dataclass(frozen=True, slots=True)
class LoopFigures:
    """What a loop is described by. A figure that the loop does not have, as it never crosses zero, is NaN.

    Attributes:
        positive_remanence: polarisation at zero field, coming from positive fields [C/m^2].
        negative_remanence: coming from negative fields [C/m^2].
        positive_coercive_field: field at which the polarisation crosses zero upwards [V/m].
        negative_coercive_field: downwards [V/m].
        area: energy lost a cycle [J/m^3].
    """

    positive_remanence: float
    negative_remanence: float
    positive_coercive_field: float
    negative_coercive_field: float
    area: float

    @property
    def coercive_field(self) -> float:
        """Half of the loop's width [V/m]."""
        return 0.5 * (self.positive_coercive_field - self.negative_coercive_field)

    @property
    def bias_field(self) -> float:
        """Shift of the loop along the field axis [V/m]."""
        return 0.5 * (self.positive_coercive_field + self.negative_coercive_field)


def hysteresis_loop(
    model: PolarizationModel,
    amplitude: float,
    frequency: float,
    *,
    offset: float = 0.0,
    steps_per_cycle: int = 400,
    settling_cycles: int = 2,
) -> Loop:
    """Return the loop under a triangular field, after some cycles to settle.

    With an offset, or an amplitude below saturation, this is a minor loop.

    Args:
        model: with its own start and temperature.
        amplitude: of the field [V/m].
        frequency: [Hz].
        offset: of the field [V/m].
        steps_per_cycle: a multiple of 4.
        settling_cycles: before the one that is returned.

    Raises:
        ArgumentError: a number is unusable.
    """
    if not is_whole(settling_cycles, 0, 100_000):
        raise argument_error("settling_cycles", "be a whole number from 0 to 100000", settling_cycles)
    wave = waveforms.triangle(amplitude, frequency, settling_cycles + 1, steps_per_cycle, offset)
    after = model.respond(wave)
    last = after[-steps_per_cycle:]
    # Without a cycle before, the first half step is extrapolated.
    before = after[-steps_per_cycle - 1] if settling_cycles else 2.0 * last[0] - last[1]
    middle = 0.5 * (last + np.concatenate([[before], last[:-1]]))
    return Loop(wave.voltages[-steps_per_cycle:], middle, wave.midpoints[:steps_per_cycle])


def loop_figures(field: ArrayLike, polarization: ArrayLike) -> LoopFigures:
    """Return remanences, coercive fields and area of one closed cycle, simulated or measured.

    Crossings are interpolated linearly; where noise makes several, their mean counts.

    Args:
        field: [V/m], in the order of time, one cycle, shape ``(steps,)``.
        polarization: at that field [C/m^2], shape ``(steps,)``.

    Raises:
        ArgumentError: the shapes differ, there are fewer than four points, or a number is not finite.
    """
    e, p = np.asarray(field, dtype=np.float64), np.asarray(polarization, dtype=np.float64)
    if e.ndim != 1 or e.shape != p.shape or e.size < 4:
        raise argument_error("field", "be a list of at least four, as long as `polarization`", f"of shape {e.shape}")
    if not (np.all(np.isfinite(e)) and np.all(np.isfinite(p))):
        raise argument_error("field", "be finite, as must `polarization`", "not")
    e_next, p_next = np.roll(e, -1), np.roll(p, -1)
    return LoopFigures(
        positive_remanence=_at_crossing(-e, -e_next, p, p_next),
        negative_remanence=_at_crossing(e, e_next, p, p_next),
        positive_coercive_field=_at_crossing(p, p_next, e, e_next),
        negative_coercive_field=_at_crossing(-p, -p_next, e, e_next),
        area=float(np.sum(0.5 * (e + e_next) * (p_next - p))),
    )


def _at_crossing(x: Array, x_next: Array, y: Array, y_next: Array) -> float:
    """Return y where x crosses zero upwards."""
    crossing = (x < 0.0) & (x_next >= 0.0)
    if not crossing.any():
        return math.nan
    share = -x[crossing] / (x_next[crossing] - x[crossing])
    return float(np.mean(y[crossing] + share * (y_next[crossing] - y[crossing])))


def current_density(field: Waveform, polarization: ArrayLike, permittivity: float, *, start: float) -> Array:
    """Return the current density during each step, dP/dt + eps0 eps_r dE/dt [A/m^2], shape ``(steps,)``.

    The steps of the field stand for a continuous one: its values at their ends are interpolated between the middles. So
    a ramp gives its constant displacement current, and all steps together the charge eps0 eps_r (E_end - E_start).

    Args:
        field: its values are fields [V/m].
        polarization: after each step [C/m^2], as models return it.
        permittivity: relative, of the linear background; 0 for the switching current alone.
        start: polarisation before the first step [C/m^2].

    Raises:
        ArgumentError: the shapes differ or a number is unusable.
    """
    check_number("permittivity", permittivity, "1", may_vanish=True)
    after = np.asarray(polarization, dtype=np.float64)
    if after.shape != field.voltages.shape or not np.all(np.isfinite(after)) or not math.isfinite(start):
        raise argument_error("polarization", f"be finite and of shape ({field.steps},)", f"of shape {after.shape}")
    switching = np.diff(after, prepend=start) / field.durations
    if permittivity == 0.0 or field.steps == 1:
        return switching
    middles, times = field.midpoints, field.times
    inner = np.interp(times[1:-1], middles, field.voltages)
    first = field.voltages[0] + (times[0] - middles[0]) * (inner[0] - field.voltages[0]) / (times[1] - middles[0])
    last = field.voltages[-1] + (times[-1] - middles[-1]) * (field.voltages[-1] - inner[-1]) / (middles[-1] - times[-2])
    ends = np.concatenate([[first], inner, [last]])
    return np.asarray(switching + epsilon_0 * permittivity * np.diff(ends) / field.durations)


@dataclass(frozen=True, slots=True)
class PundCharges:
    """Charges of the four pulses after the preset [C/m^2], each from before the pulse.

    ``switched`` is what the first pulse of a kind moves and the second does not: the remanent part, without leakage or
    displacement.

    Attributes:
        positive: at the end of the first positive pulse's flat part.
        up: of the second.
        negative: of the first negative pulse.
        down: of the second.
        positive_remanent: of the first positive pulse, after its gap.
        up_remanent: of the second, after its gap.
        negative_remanent: of the first negative pulse, after its gap.
        down_remanent: of the second, after its gap.
    """

    positive: float
    up: float
    negative: float
    down: float
    positive_remanent: float
    up_remanent: float
    negative_remanent: float
    down_remanent: float

    @property
    def positive_switched(self) -> float:
        """P - U [C/m^2]."""
        return self.positive - self.up

    @property
    def negative_switched(self) -> float:
        """N - D [C/m^2], negative for a ferroelectric."""
        return self.negative - self.down


def pund_charges(
    model: PolarizationModel,
    amplitude: float,
    rise: float,
    width: float,
    gap: float,
    *,
    permittivity: float = 0.0,
    steps: int = 32,
) -> PundCharges:
    """Return the charges of a PUND measurement.

    Args:
        model: with its own start; the preset pulse sets it.
        amplitude: of the field [V/m].
        rise: time of the ramps [s].
        width: of the flat part [s].
        gap: between pulses [s].
        permittivity: relative, of a linear background that adds eps0 eps_r E; 0 for none.
        steps: of each ramp.

    Raises:
        ArgumentError: a number is unusable.
    """
    check_number("permittivity", permittivity, "1", may_vanish=True)
    wave = waveforms.pund(amplitude, rise, width, gap, steps)
    charge = (model.respond(wave) + epsilon_0 * permittivity * wave.voltages).reshape(5, -1)
    before, flat, after = charge[:-1, -1], charge[1:, steps], charge[1:, -1]
    high, rest = (flat - before).tolist(), (after - before).tolist()
    return PundCharges(*high, *rest)


@dataclass(frozen=True, slots=True, eq=False)
class ReversalCurves:
    """First-order reversal curves on a common grid, and their density.

    Attributes:
        field: E, rising, [V/m], shape ``(levels,)``.
        reversal: E_r, rising, [V/m], shape ``(reversals,)``.
        polarization: on the way up from E_r [C/m^2], shape ``(reversals, levels)``; NaN where E < E_r.
    """

    field: Array
    reversal: Array
    polarization: Array

    @property
    def density(self) -> tuple[Array, Array, Array]:
        """Field and reversal [V/m] in the middle of grid cells, and -1/2 d2P/(dE dE_r) [C/m^2 / (V/m)^2] there.

        The mixed difference over a cell is exactly the mean of the density over it; NaN in cells that reach below the
        diagonal E = E_r. Shapes ``(levels - 1,)``, ``(reversals - 1,)`` and ``(reversals - 1, levels - 1)``.
        """
        mixed = np.diff(np.diff(self.polarization, axis=0), axis=1)
        size = np.diff(self.reversal)[:, None] * np.diff(self.field)
        field, reversal = (0.5 * (grid[1:] + grid[:-1]) for grid in (self.field, self.reversal))
        return field, reversal, -0.5 * mixed / size


def reversal_curves(model: PolarizationModel, saturation: float, levels: int, rate: float) -> ReversalCurves:
    """Measure first-order reversal curves from positive saturation.

    Args:
        model: with its own start.
        saturation: largest field [V/m]; reversals run down to minus it.
        levels: of the grid from -saturation to +saturation, at least 3.
        rate: slope of the field [V/m/s].

    Raises:
        ArgumentError: a number is unusable.
    """
    check_number("saturation", saturation, "V/m")
    if not is_whole(levels, 3, 5000):
        raise argument_error("levels", "be a whole number from 3 to 5000", levels)
    step = 2.0 * saturation / (levels - 1)
    field = np.linspace(-saturation, saturation, levels)
    curves = np.full((levels - 1, levels), math.nan)
    for row in range(levels - 1):
        down = levels - 1 - row
        wave = waveforms.first_order_reversal(saturation, saturation - down * step, step, rate)
        curves[row, row:] = model.respond(wave)[-down - 1 :]
    return ReversalCurves(field, field[:-1], curves)
