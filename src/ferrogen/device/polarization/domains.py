"""The domain ensemble: independent two-state domains that switch after a nucleation-limited waiting time.

A domain is up if its polarisation lies along a positive field: on, in a junction, and in a stack, where a positive
field points from the top electrode to the bottom one, towards the bottom.

Domain i has an activation field E_a and a local bias E_b. In a field E it switches towards the sign of its local field
E - E_b (device equations 1.6 and 1.9; Alessandri 2019, doi:10.1109/TED.2019.2922268; Merz 1954,
doi:10.1103/PhysRev.95.690) with the time constant

    tau = attempt_time exp[ (T0 / T) (E_a / |E - E_b|)^field_exponent ],      T0 = 300 K.

The exponent is an energy barrier over k_B T, hence 1 / T: E_a (T0 / T)^(1 / field_exponent) is the activation field at
the temperature T. The attempt time does not depend on temperature.

Two laws of waiting, exact for a field that is constant during a step of length dt:

* nucleation_exponent 1, Markov: p <- theta + (p - theta) exp(-dt / tau), theta = 1 where the local field points up.
* nucleation_exponent b: nuclei grow, and a domain remembers for how long it has been driven. Its history h gains
  dt / tau in every step, and P(switch in dt | not yet) = 1 - exp[h^b - (h + dt / tau)^b] (1.8). In a constant field
  this is the Weibull law 1 - exp[-(t / tau)^b]; pulses of one sign add up whatever lies between them, as long as the
  local field does not change its sign: h restarts at 0 when it does, and stays while the local field is zero.

In both laws what happens in dt depends on dt / tau alone and sums telescope, so a step may be cut into any number of
steps with the same field. Without a key the state is the probability of each domain to be up (the mean of many cells
with these domains, exactly, as domains are independent); with a key domains are binary and flip at random, each draw
addressed by (key, cell, domain, step).
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.core.errors import argument_error, check_number, is_whole
from ferrogen.device.noise.traps import REFERENCE_TEMPERATURE
from ferrogen.device.polarization.domain_kernel import draw_cells, follow_cells
from ferrogen.device.polarization.ensemble import (
    DomainEnsemble,
    DomainState,
    domains_per_cell,
    draw_domains,
    mean_domains,
)

__all__ = [
    "DomainEnsemble",
    "DomainState",
    "advance",
    "domains_per_cell",
    "draw_domains",
    "follow",
    "initial_state",
    "mean_domains",
    "polarization",
]

_MOST_STEPS = 2**32 - 2  # step numbers are 32 bits of a draw's address; the last one is for the initial state
_INITIAL_STEP = 2**32 - 1


def initial_state(ensemble: DomainEnsemble, up: ArrayLike = 0.0, *, key: np.uint64 | None = None) -> DomainState:
    """Return a state without history.

    Args:
        ensemble: whose state.
        up: probability of domains to be up: one number, or anything that broadcasts to ``(cells, domains)``.
        key: draw binary domains with this probability; without it the state holds the probability itself.

    Raises:
        ArgumentError: ``up`` has another shape or leaves [0, 1].
    """
    shape = ensemble.activation_field.shape
    try:
        share = np.array(np.broadcast_to(np.asarray(up, dtype=np.float64), shape))
    except ValueError:
        raise argument_error("up", f"be one number or of shape {shape}", f"of shape {np.shape(up)}") from None
    if not np.all((share >= 0.0) & (share <= 1.0)):
        raise argument_error("up", "lie between 0 and 1", "outside")
    if key is not None:
        draw_cells(np.uint64(key), ensemble.addresses, np.uint64(_INITIAL_STEP), share)
    return DomainState(share, np.zeros(shape), np.zeros(shape, dtype=np.int8))


def polarization(ensemble: DomainEnsemble, state: DomainState) -> NDArray[np.float64]:
    """Return the polarisation of each cell [C/m^2], shape ``(cells,)``.

    Raises:
        ArgumentError: the state belongs to another ensemble.
    """
    _check_state(ensemble, state)
    net: NDArray[np.float64] = np.sum(ensemble.weight * (2.0 * state.up - 1.0), axis=1)
    return ensemble.remanent_polarization * net


def advance(
    ensemble: DomainEnsemble,
    state: DomainState,
    field: ArrayLike,
    duration: float,
    *,
    temperature: float = REFERENCE_TEMPERATURE,
    key: np.uint64 | None = None,
    step: int = 0,
    threads: int = 1,
) -> DomainState:
    """Return the state after one step in a constant field.

    Args:
        ensemble: the domains.
        state: before the step; it is not changed.
        field: [V/m], one number, or one a cell of shape ``(cells,)``.
        duration: [s].
        temperature: [K].
        key: of the random flips; without one the probabilities are followed.
        step: number of this step in the addresses of the draws: never give the same one twice in one run.
        threads: over which cells are spread; the result does not depend on it.

    Raises:
        ArgumentError: a shape does not fit or a number is unusable.
    """
    fields = np.asarray(field, dtype=np.float64)
    if fields.ndim > 1:
        raise argument_error("field", "be one number or of shape (cells,)", f"of shape {fields.shape}")
    _, after = follow(
        ensemble, state, fields[..., None], [duration], temperature=temperature, key=key, step=step, threads=threads
    )
    return after


def follow(
    ensemble: DomainEnsemble,
    state: DomainState,
    fields: ArrayLike,
    durations: ArrayLike,
    *,
    temperature: float = REFERENCE_TEMPERATURE,
    key: np.uint64 | None = None,
    step: int = 0,
    threads: int = 1,
) -> tuple[NDArray[np.float64], DomainState]:
    """Follow a piecewise-constant field.

    Args:
        ensemble: the domains.
        state: before the first step; it is not changed.
        fields: [V/m], shape ``(steps,)`` for all cells alike, or ``(cells, steps)``.
        durations: of the steps [s], shape ``(steps,)``.
        temperature: [K].
        key: of the random flips; without one the probabilities are followed.
        step: number of the first step in the addresses of the draws; a run that goes on continues the count.
        threads: over which cells are spread; the result does not depend on it.

    Returns:
        The polarisation after each step [C/m^2], shape ``(cells, steps)``, and the state after the last.

    Raises:
        ArgumentError: a shape does not fit, a number is unusable, or domains that shall flip are not binary.
    """
    lengths = np.ascontiguousarray(durations, dtype=np.float64)
    values = np.ascontiguousarray(np.atleast_2d(np.asarray(fields, dtype=np.float64)))
    cells = ensemble.cells
    if lengths.ndim != 1 or lengths.size == 0:
        raise argument_error("durations", "be a list of at least one time in s", f"of shape {lengths.shape}")
    if values.ndim != 2 or values.shape[0] not in (1, cells) or values.shape[1] != lengths.size:
        raise argument_error(
            "fields", f"have the shape ({lengths.size},) or ({cells}, {lengths.size})", f"of shape {np.shape(fields)}"
        )
    if not (np.all(np.isfinite(lengths)) and np.all(lengths > 0.0)):
        raise argument_error("durations", "be positive, finite times in s", "not")
    if not np.all(np.isfinite(values)):
        raise argument_error("fields", "be finite fields in V/m", "not")
    check_number("temperature", temperature, "K")
    if not is_whole(step, 0, _MOST_STEPS - lengths.size):
        raise argument_error("step", "be a whole number from 0, of 2**32 steps in all at most", step)
    if not is_whole(threads, 1):
        raise argument_error("threads", "be a whole number from 1", threads)
    _check_state(ensemble, state)
    up = np.array(state.up, dtype=np.float64, order="C")
    if key is not None and not np.all((up == 0.0) | (up == 1.0)):
        raise argument_error(
            "state", "have domains that are up or down to flip at random", "one of probabilities",
            "Draw it with `initial_state(ensemble, up, key=key)`.",
        )  # fmt: skip
    history = np.array(state.history, dtype=np.float64, order="C")
    direction = np.array(state.direction, dtype=np.int8, order="C")
    out = np.empty((cells, lengths.size))

    def some(first: int, stop: int) -> None:
        follow_cells(
            first, stop, values, lengths, ensemble.activation_field, ensemble.local_bias_field, ensemble.weight,
            ensemble.remanent_polarization, ensemble.addresses, float(ensemble.attempt_time),
            float(ensemble.field_exponent), float(ensemble.nucleation_exponent), REFERENCE_TEMPERATURE / temperature,
            int(key is not None), np.uint64(0 if key is None else key), int(step), up, history, direction, out,
        )  # fmt: skip

    parts = min(threads, cells)
    if parts == 1:
        some(0, cells)
    else:
        ends = [math.floor(cells * part / parts) for part in range(parts + 1)]
        with ThreadPoolExecutor(parts) as pool:
            list(pool.map(some, ends[:-1], ends[1:]))
    return out, DomainState(up, history, direction)


def _check_state(ensemble: DomainEnsemble, state: DomainState) -> None:
    shape = ensemble.activation_field.shape
    if not state.up.shape == state.history.shape == state.direction.shape == shape:
        raise argument_error("state", f"have the shape {shape} of the ensemble", f"of shape {state.up.shape}")
