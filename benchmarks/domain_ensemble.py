"""How fast are domain ensembles, and how does that scale with cells, domains and threads?

    python benchmarks/domain_ensemble.py [--steps 200] [--rounds 5]

Times, in turns within one run, ferrogen's ``follow`` with one and two threads, probabilities and random flips, beside
the same equations in plain NumPy, for both laws of waiting. The field is a triangle, new in every step, so that nothing
is reused. A cell-step is one cell advanced by one step, whatever the number of its domains. The last table times the
closed form of the switched fraction for 150 pulses, as a fit calls it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from timing import Timing, paired, row, write_results

from ferrogen.core.streams import Purpose, Streams
from ferrogen.device.polarization.domains import DomainEnsemble, DomainState, follow, initial_state
from ferrogen.device.polarization.kinetics import (
    ActivationField,
    GaussianField,
    GeneralizedBetaField,
    LogNormalField,
    switched_fraction,
)
from ferrogen.device.waveforms import Waveform, triangle

CELLS = (1, 10, 100, 1_000, 10_000, 100_000)
DOMAINS = (10, 30, 100, 300, 1_000)
DOMAIN_STEPS = 20_000_000  # a call of ferrogen does about so many
PLAIN_DOMAIN_STEPS = 2_000_000  # a call of plain NumPy


def ensemble(cells: int, domains: int, nucleation: float) -> DomainEnsemble:
    """Domains near the fit of 10 nm HZO."""
    random = np.random.default_rng(1)
    return DomainEnsemble(
        remanent_polarization=np.full(cells, 0.24),
        activation_field=1.55e8 * np.exp(0.33 * random.standard_normal((cells, domains))),
        local_bias_field=0.24e8 * random.standard_normal((cells, domains)),
        weight=np.full((cells, domains), 1.0 / domains),
        attempt_time=3.6e-6,
        field_exponent=3.3,
        nucleation_exponent=nucleation,
    )


def plain(domains: DomainEnsemble, state: DomainState, wave: Waveform) -> NDArray[np.float64]:
    """Follow the same equations in plain NumPy, all cells at once."""
    up, history, direction = state.up.copy(), state.history.copy(), state.direction.astype(np.float64)
    out = np.empty((domains.cells, wave.steps))
    b = domains.nucleation_exponent
    for k in range(wave.steps):
        local = wave.voltages[k] - domains.local_bias_field
        merz = (domains.activation_field / np.abs(local)) ** domains.field_exponent
        attempts = wave.durations[k] / domains.attempt_time * np.exp(-merz)
        target = (local > 0.0).astype(np.float64)
        if b == 1.0:
            stay = np.exp(-attempts)
        else:
            sign = np.sign(local)
            history[sign * direction < 0.0] = 0.0
            direction = sign
            stay = np.exp(history**b - (history + attempts) ** b)
            history += attempts
        up = target + (up - target) * stay
        out[:, k] = domains.remanent_polarization * np.sum(domains.weight * (2.0 * up - 1.0), axis=1)
    return out


def some_steps(wave: Waveform, cells: int, domains: int, budget: int) -> Waveform:
    """The first steps of the wave, as many as the budget allows."""
    count = max(1, min(wave.steps, budget // (cells * domains)))
    return Waveform(wave.durations[:count], wave.voltages[:count])


def compare(cells: int, domains: int, nucleation: float, wave: Waveform, rounds: int) -> list[dict[str, object]]:
    """Time the ways for one size."""
    whole = ensemble(cells, domains, nucleation)
    few = min(cells, max(1, PLAIN_DOMAIN_STEPS // domains))
    part = whole.select(np.arange(few))
    state, part_state = initial_state(whole), initial_state(part)
    key = Streams(1).key(Purpose.SWITCHING)
    ours = some_steps(wave, cells, domains, DOMAIN_STEPS)
    theirs = some_steps(wave, few, domains, PLAIN_DOMAIN_STEPS)

    def run(threads: int, *, random: bool = False) -> Callable[[], object]:
        return lambda: follow(whole, state, ours.voltages, ours.durations, threads=threads, key=key if random else None)

    ways: dict[str, tuple[Callable[[], object], int]] = {
        "ferrogen, 1 thread": (run(1), cells * ours.steps),
        "ferrogen, 2 threads": (run(2), cells * ours.steps),
        "ferrogen, random, 2 threads": (run(2, random=True), cells * ours.steps),
        "plain NumPy": (lambda: plain(part, part_state, theirs), few * theirs.steps),
    }
    difference = np.max(
        np.abs(plain(part, part_state, theirs) - follow(part, part_state, theirs.voltages, theirs.durations)[0])
    )
    timings = paired({name: call for name, (call, _) in ways.items()}, rounds)
    return [
        row(
            name,
            timing,
            nucleation_exponent=nucleation,
            cells=cells,
            domains=domains,
            million_cell_steps_per_second=float(f"{ways[name][1] / timing.wall / 1e6:.3g}"),
            million_cell_steps_per_cpu_second=float(f"{ways[name][1] / timing.cpu / 1e6:.3g}"),
            cpu_nanoseconds_per_domain_step=float(f"{1e9 * timing.cpu / ways[name][1] / domains:.3g}"),
            largest_difference_from_plain=float(f"{difference:.2g}"),
        )
        for name, timing in timings.items()
    ]


def closed_forms(rounds: int) -> list[dict[str, object]]:
    """Time the switched fraction of 150 pulses for each distribution of activation fields."""
    times, fields = np.geomspace(3e-8, 1e-3, 25)[:, None], np.linspace(0.5e8, 3e8, 6)
    forms: dict[str, ActivationField] = {
        "log-normal": LogNormalField(1.565e8, 0.332),
        "Gaussian": GaussianField(1.604e8, 0.505e8),
        "generalised beta": GeneralizedBetaField(6.92, 1.67e8, 0.573, 0.725),
    }

    def call(form: ActivationField) -> Callable[[], object]:
        def ten() -> None:
            for _ in range(10):
                switched_fraction(
                    times, fields, form, attempt_time=3.58e-6, field_exponent=3.3, nucleation_exponent=2.0
                )

        return ten

    timings: dict[str, Timing] = paired({name: call(form) for name, form in forms.items()}, rounds)
    return [
        row(name, timing, cpu_milliseconds_for_150_pulses=float(f"{100.0 * timing.cpu:.3g}"))
        for name, timing in timings.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    wave = triangle(3e8, 1e3, steps_per_cycle=4 * max(1, arguments.steps // 4))
    sizes = [(cells, 100) for cells in CELLS] + [(1_000, domains) for domains in DOMAINS if domains != 100]
    rows: list[dict[str, object]] = []
    print(
        "| exponent | cells | domains | method | 1e6 cell-steps/s | the same, of CPU time | CPU ns a domain-step |\n"
        "|---|---|---|---|---|---|---|"
    )
    for nucleation in (1.0, 2.0):
        for cells, domains in sizes:
            for item in compare(cells, domains, nucleation, wave, arguments.rounds):
                rows.append(item)
                print(
                    f"| {nucleation:g} | {cells} | {domains} | {item['method']}"
                    f" | {item['million_cell_steps_per_second']} | {item['million_cell_steps_per_cpu_second']}"
                    f" | {item['cpu_nanoseconds_per_domain_step']} |",
                    flush=True,
                )
    print("\n| activation field | CPU ms for 150 pulses |\n|---|---|")
    for item in closed_forms(arguments.rounds):
        rows.append(item)
        print(f"| {item['method']} | {item['cpu_milliseconds_for_150_pulses']} |")
    write_results(
        "domain_ensemble",
        rows,
        steps=wave.steps,
        note="Cell-steps per second are of wall time, which other work on the machine lengthens (see load_average); CPU"
        " time suffers less. Large ensembles run on fewer steps, and plain NumPy on fewer cells, so that a call takes"
        " about a tenth of a second; cell-steps per second are those of what was run.",
    )


if __name__ == "__main__":
    main()
