"""The chain as a linear circuit with switches: its equations for every position of the switches, and their solution.

State: summing node v, integrator output u, held voltages h0 and h1. With the current i into the summing node, C around
the amplifier, C_in and the load g at its input, the switch (or the leakage) g_f across C, w = 2 pi GBW, and i what the
cells carry at the offset, where the amplifier keeps the node:

    du/dt = -(w / A) u - w (v - offset) - 100 w (u -+ rail where it is beyond a rail)
    (C_in + C) dv/dt = i - g (v - offset) - g_f (v - u) + C du/dt
    C_h dh/dt = (u - h) / R_on while it tracks - leakage h

An ideal integrator has v = 0 and du/dt = -i / C. Between a current's jumps and the switches' moves all coefficients are
constant, so (v, u, h0, h1, 1, i in nA) is carried on by the exponential of a 6 x 6 matrix: no time step and no error of
one.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm
from scipy.optimize import brentq

from ferrogen.circuit.sampling_chain.spec import ChargeIntegrator, Interval, SampleAndHold, SamplingChain

Array = NDArray[np.float64]

NODE, OUTPUT, FIRST, SECOND, ONE, CURRENT = range(6)
"""Places in the state: summing node, output, the two holds, the number 1, the current."""

CURRENT_UNIT = 1e-9
"""The current's unit in the state [A]: with amperes, 1 / C would seem the fastest rate of all, and rounding grow."""

RAIL_STIFFNESS = 100.0
"""One over the amplifier's gain beyond a rail."""

_TERMS = 16  # of the series for a norm of 1/2: the next is 1e-20


def rate_matrix(chain: SamplingChain, interval: Interval, load: float, beyond: int = 0) -> Array:
    """Return the matrix M of d/dt (v, u, h0, h1, 1, i) = M (v, u, h0, h1, 1, i), shape ``(6, 6)`` [1/s].

    Args:
        chain: the circuit.
        interval: the switches' positions.
        load: conductance at the summing node [S].
        beyond: +1 or -1 if the output is beyond that rail, else 0.
    """
    matrix = np.zeros((6, 6))
    integrator, hold = chain.integrator, chain.hold
    if isinstance(integrator, ChargeIntegrator):
        speed = 2.0 * math.pi * integrator.gain_bandwidth
        output = matrix[OUTPUT]
        output[NODE], output[OUTPUT], output[ONE] = -speed, -speed / integrator.gain, speed * integrator.offset
        if beyond:
            output[OUTPUT] -= RAIL_STIFFNESS * speed
            output[ONE] += RAIL_STIFFNESS * speed * beyond * integrator.rail
        across = integrator.leakage + (1.0 / integrator.reset_resistance if interval.reset else 0.0)
        node = integrator.capacitance * output
        node[NODE] -= load + across
        node[OUTPUT] += across
        node[ONE] += load * integrator.offset
        node[CURRENT] += CURRENT_UNIT
        matrix[NODE] = node / (integrator.capacitance + integrator.input_capacitance)
    elif not interval.reset:
        matrix[OUTPUT, CURRENT] = -CURRENT_UNIT / integrator.capacitance
    if isinstance(hold, SampleAndHold):
        for which in (0, 1):
            row = matrix[FIRST + which]
            row[FIRST + which] = -hold.leakage / hold.capacitance
            if interval.tracks == which:
                speed = 1.0 / (hold.resistance * hold.capacitance)
                row[OUTPUT] += speed
                row[FIRST + which] -= speed
    return matrix


def propagators(matrix: Array, durations: Array) -> Array:
    """Return exp(matrix x duration) for many durations [s], shape ``(durations, 6, 6)``.

    By scaling and squaring, each duration with as many squarings as it needs. Rounding doubles with each: it is 1e-16
    of the fastest rate times the duration, 1e-11 for an amplifier of 10 MHz over a millisecond.
    """
    norm = float(np.abs(matrix).sum(axis=1).max())
    doublings = np.ceil(np.log2(np.maximum(norm * durations / 0.5, 1.0))).astype(np.int64)
    out = np.empty((durations.shape[0], *matrix.shape))
    for count in np.unique(doublings):
        which = np.flatnonzero(doublings == count)
        scaled = matrix * (durations[which] / 2.0**count)[:, None, None]
        total = np.broadcast_to(np.eye(matrix.shape[0]), scaled.shape).copy()
        for k in range(_TERMS, 0, -1):
            total = np.eye(matrix.shape[0]) + scaled @ total / k
        for _ in range(count):
            total = total @ total
        out[which] = total
    return out


def beyond_rail(chain: SamplingChain, state: Array) -> int:
    """Return +1 or -1 if the integrator's output is beyond that rail, else 0."""
    if not isinstance(chain.integrator, ChargeIntegrator):
        return 0
    if abs(state[OUTPUT]) <= chain.integrator.rail:
        return 0
    return 1 if state[OUTPUT] > 0.0 else -1


def advance(chain: SamplingChain, interval: Interval, load: float, state: Array, duration: float) -> Array:
    """Carry one state on for ``duration`` [s], in pieces where the output meets or leaves a rail.

    A rail is noticed if the output is on its other side at the end of a piece; the rounding of a corner by the
    amplifier within a piece is not.
    """
    region = beyond_rail(chain, state)
    left = duration
    while left > 0.0:
        matrix = rate_matrix(chain, interval, load, region)
        after = expm(matrix * left) @ state
        there = beyond_rail(chain, after)
        if there == region or not isinstance(chain.integrator, ChargeIntegrator):
            return np.asarray(after)
        rail = chain.integrator.rail * (region or there)

        def distance(time: float, matrix: Array = matrix, state: Array = state, rail: float = rail) -> float:
            return float((expm(matrix * time) @ state)[OUTPUT] - rail)

        begin = distance(0.0)
        crossing = 0.0 if begin * distance(left) >= 0.0 else float(brentq(distance, 0.0, left, xtol=1e-18, rtol=1e-14))
        state = np.asarray(expm(matrix * crossing) @ state)
        state[OUTPUT] = rail
        left -= crossing
        region = 0 if region else there
    return state
