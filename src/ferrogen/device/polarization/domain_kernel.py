"""The compiled step of a domain ensemble: a block of cells after the other, all its domains in vector registers.

What it computes and why is told in :mod:`ferrogen.device.polarization.domains`.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ferrogen.core.philox import open_uniform, philox
from ferrogen.device.polarization.fast_math import fast_exp, fast_expm1, fast_log

# A uniform draw is at least 2**-53: what switches with less than this never does.
_NEVER = 2.0**-54
_BLOCK = 512  # domains that are followed together: long enough for vectors, and their numbers fit the fastest cache
_BY_DOMAIN = np.uint64(32)  # the low word of a draw's counter is step * 2**32 + domain


@njit(cache=True, nogil=True, error_model="numpy")
def _expected_switches(
    field: NDArray[np.float64],
    log_attempts: float,
    exponent: float,
    slope: float,
    log_activation: NDArray[np.float64],
    bias: NDArray[np.float64],
    sign: NDArray[np.float64],
    attempts: NDArray[np.float64],
) -> None:
    """Fill the local field's sign and (duration / switching time) of each domain for one step.

    Short loops, each of which fits the registers, take half the time of one long loop.
    """
    for d in range(bias.shape[0]):
        local = field[d] - bias[d]
        sign[d] = (1.0 if local > 0.0 else 0.0) - (1.0 if local < 0.0 else 0.0)
    for d in range(bias.shape[0]):
        attempts[d] = fast_log(abs(field[d] - bias[d]))
    for d in range(bias.shape[0]):
        attempts[d] = fast_exp(exponent * (log_activation[d] - attempts[d]))
    for d in range(bias.shape[0]):
        argument = log_attempts - slope * attempts[d]
        attempts[d] = fast_exp(argument) if argument > -700.0 else 0.0  # without a local field, too


@njit(cache=True, nogil=True, error_model="numpy")
def _switch_probability(
    nucleation: float,
    longest: float,
    sign: NDArray[np.float64],
    attempts: NDArray[np.float64],
    history: NDArray[np.float64],
    direction: NDArray[np.float64],
    probability: NDArray[np.float64],
) -> None:
    """Fill the probability to switch in this step (equation 1.8); move history and direction on."""
    if nucleation == 1.0:
        for d in range(sign.shape[0]):
            probability[d] = -fast_expm1(-attempts[d])
    elif nucleation == 2.0:
        for d in range(sign.shape[0]):
            turned = sign[d] * direction[d] < 0.0
            old = 0.0 if turned else history[d]
            new = min(old + attempts[d], longest)
            probability[d] = -fast_expm1(-(new - old) * (new + old))
            history[d] = new
            direction[d] = direction[d] if sign[d] == 0.0 else sign[d]
    else:
        for d in range(sign.shape[0]):
            turned = sign[d] * direction[d] < 0.0
            old = 0.0 if turned else history[d]
            new = min(old + attempts[d], longest)
            before = fast_exp(nucleation * fast_log(old)) if old > 0.0 else 0.0
            after = fast_exp(nucleation * fast_log(new)) if new > 0.0 else 0.0
            probability[d] = -fast_expm1(before - after)
            history[d] = new
            direction[d] = direction[d] if sign[d] == 0.0 else sign[d]


@njit(cache=True, nogil=True, error_model="numpy")
def _mean_step(sign: NDArray[np.float64], probability: NDArray[np.float64], up: NDArray[np.float64]) -> None:
    """Move every domain's probability to be up towards the sign of its local field."""
    for d in range(up.shape[0]):
        target = 1.0 if sign[d] > 0.0 else 0.0
        up[d] += (target - up[d]) * probability[d]


@njit(cache=True, nogil=True, error_model="numpy")
def _random_step(
    key: np.uint64,
    cell: np.uint64,
    step: np.uint64,
    sign: NDArray[np.float64],
    probability: NDArray[np.float64],
    up: NDArray[np.float64],
) -> None:
    """Flip each domain that does not yet lie along its local field with its probability."""
    for d in range(up.shape[0]):
        target = 1.0 if sign[d] > 0.0 else 0.0
        if up[d] == target or probability[d] < _NEVER:
            continue
        bits, _ = philox(key, cell, (step << _BY_DOMAIN) | np.uint64(d))
        if open_uniform(bits) < probability[d]:
            up[d] = target


@njit(cache=True, nogil=True, error_model="numpy")
def _net(weight: NDArray[np.float64], up: NDArray[np.float64]) -> float:
    """Return the weighted sum of 2 up - 1, in an order that no compiler changes."""
    a = b = c = e = 0.0
    whole = up.shape[0] // 4 * 4
    for d in range(0, whole, 4):
        a += weight[d] * (2.0 * up[d] - 1.0)
        b += weight[d + 1] * (2.0 * up[d + 1] - 1.0)
        c += weight[d + 2] * (2.0 * up[d + 2] - 1.0)
        e += weight[d + 3] * (2.0 * up[d + 3] - 1.0)
    for d in range(whole, up.shape[0]):
        a += weight[d] * (2.0 * up[d] - 1.0)
    return (a + b) + (c + e)


@njit(cache=True, nogil=True, error_model="numpy")
def draw_cells(key: np.uint64, address: NDArray[np.uint64], step: np.uint64, up: NDArray[np.float64]) -> None:
    """Replace every probability in ``up``, of shape ``(cells, domains)``, by 0 or 1, drawn with it."""
    for cell in range(up.shape[0]):
        for d in range(up.shape[1]):
            bits, _ = philox(key, address[cell], (step << _BY_DOMAIN) | np.uint64(d))
            up[cell, d] = 1.0 if open_uniform(bits) < up[cell, d] else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def follow_cells(
    first: int,
    stop: int,
    fields: NDArray[np.float64],
    durations: NDArray[np.float64],
    activation: NDArray[np.float64],
    bias: NDArray[np.float64],
    weight: NDArray[np.float64],
    scale: NDArray[np.float64],
    address: NDArray[np.uint64],
    attempt_time: float,
    exponent: float,
    nucleation: float,
    slope: float,
    random: int,
    key: np.uint64,
    first_step: int,
    up: NDArray[np.float64],
    history: NDArray[np.float64],
    direction: NDArray[np.int8],
    out: NDArray[np.float64],
) -> None:
    """Follow cells ``first`` to ``stop``; ``up``, ``history``, ``direction`` and ``out`` are written.

    Args:
        first: first cell.
        stop: first cell that is not followed.
        fields: [V/m], shape ``(1 or cells, steps)``.
        durations: [s], shape ``(steps,)``.
        activation: [V/m], shape ``(cells, domains)``.
        bias: [V/m], shape ``(cells, domains)``.
        weight: shape ``(cells, domains)``.
        scale: polarisation of all domains up [C/m^2], shape ``(cells,)``.
        address: of each cell's draws.
        attempt_time: [s].
        exponent: of Merz' law.
        nucleation: exponent of the history.
        slope: reference temperature / temperature.
        random: 1 if domains are binary and flip at random, 0 if probabilities are followed.
        key: of the draws.
        first_step: number of the first step, in the draws' addresses.
        up: shape ``(cells, domains)``.
        history: shape ``(cells, domains)``.
        direction: shape ``(cells, domains)``.
        out: polarisation after each step [C/m^2], shape ``(cells, steps)``.
    """
    domains = activation.shape[1]
    block = max(1, _BLOCK // domains)
    size = block * domains
    log_activation = np.empty(size)
    own_bias = np.empty(size)
    field = np.empty(size)
    sign = np.empty(size)
    attempts = np.empty(size)
    probability = np.empty(size)
    towards = np.empty(size)
    past = np.empty(size)
    state = np.empty(size)
    longest = math.exp(230.0 / max(nucleation, 1.0))  # its power stays finite; no domain is left long before
    for begin in range(first, stop, block):
        cells = min(block, stop - begin)
        used = cells * domains
        if used < size:  # the last block
            log_activation, own_bias, field = log_activation[:used], own_bias[:used], field[:used]
            sign, attempts, probability = sign[:used], attempts[:used], probability[:used]
            towards, past, state = towards[:used], past[:used], state[:used]
        for c in range(cells):
            for d in range(domains):
                log_activation[c * domains + d] = fast_log(activation[begin + c, d])
                own_bias[c * domains + d] = bias[begin + c, d]
                towards[c * domains + d] = direction[begin + c, d]
                past[c * domains + d] = history[begin + c, d]
                state[c * domains + d] = up[begin + c, d]
        for k in range(durations.shape[0]):
            changed = k == 0 or durations[k] != durations[k - 1]
            for c in range(cells):
                row = begin + c if fields.shape[0] > 1 else 0
                if k == 0 or fields[row, k] != fields[row, k - 1]:
                    changed = True
                    for d in range(domains):
                        field[c * domains + d] = fields[row, k]
            if changed:
                log_attempts = math.log(durations[k]) - math.log(attempt_time)
                _expected_switches(field, log_attempts, exponent, slope, log_activation, own_bias, sign, attempts)
            _switch_probability(nucleation, longest, sign, attempts, past, towards, probability)
            if random == 0:
                _mean_step(sign, probability, state)
            for c in range(cells):
                part = slice(c * domains, (c + 1) * domains)
                if random == 1:
                    _random_step(
                        key, address[begin + c], np.uint64(first_step + k), sign[part], probability[part], state[part]
                    )
                out[begin + c, k] = scale[begin + c] * _net(weight[begin + c], state[part])
        for c in range(cells):
            for d in range(domains):
                direction[begin + c, d] = np.int8(towards[c * domains + d])
                history[begin + c, d] = past[c * domains + d]
                up[begin + c, d] = state[c * domains + d]
