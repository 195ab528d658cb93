"""Analog programming of a 10 nm HZO junction: which pulses are linear, how many levels, what write-verify costs."""

import math

import numpy as np

from ferrogen.array.population import draw_population
from ferrogen.array.programming import WriteVerify, program
from ferrogen.core.streams import Purpose, Streams
from ferrogen.device.card import load_card
from ferrogen.device.parameter import Parameter, Spread
from ferrogen.device.polarization.domains import draw_domains, initial_state, mean_domains
from ferrogen.device.polarization.spec import SwitchingSpec
from ferrogen.device.programming.distinguishability import most_levels
from ferrogen.device.programming.drive import film_drive
from ferrogen.device.programming.figures import linearity, nonlinearity, programming_figures
from ferrogen.device.programming.respond import respond
from ferrogen.device.programming.trains import PulseTrain, amplitude_steps, identical_pulses, width_steps
from ferrogen.device.programming.variability_limits import domain_scatter
from ferrogen.device.programming.write_verify import IncrementalPulses, cost_by_level, write_verify

ON, OFF, DOMAINS, AREA = 20e-9, 0.4e-9, 100, 1e-14


def item(value: float, unit: str, spread: Spread | None = None) -> Parameter:
    """Return a parameter of the fit to the measured film (Markov domains, log-normal activation field)."""
    return Parameter(value=value, unit=unit, status="fitted", source="deng-2020", spread=spread)


film = SwitchingSpec(
    remanent_polarization=item(0.2547, "C/m^2"),
    activation_field=item(math.exp(0.437) * 1e8, "V/m", Spread(kind="domain", distribution="lognormal", value=0.344)),
    attempt_time=item(3.9e-6, "s"),
    field_exponent=item(3.48, "1"),
    nucleation_exponent=item(1.0, "1"),
    local_bias_field=item(0.0, "V/m"),
    domain_area=item(AREA / DOMAINS, "m^2"),
)
mean, drive = mean_domains(film), film_drive(10e-9)
off = initial_state(mean)

print("train of 64 pulses            first   last   deviation   R^2    label")
for name, train in (
    ("1 us at 1.5 V", identical_pulses(1.5, 1e-6, 64)),
    ("100 ns at 2.0 V", identical_pulses(2.0, 1e-7, 64)),
    ("1 us, 0.8 V to 3.0 V", amplitude_steps(0.8, 3.0, 1e-6, 64)),
    ("1.5 V, 100 ns to 1 ms", width_steps(1.5, 1e-7, 1e-3, 64)),
):
    curve = respond(mean, off, train, drive).switched_fraction[0, 1:]
    straight = linearity(curve)
    print(
        f"{name:28s}  {curve[0]:.3f}  {curve[-1]:.3f}   {straight.largest_deviation:.2f}        "
        f"{straight.r_squared:.3f}  {nonlinearity(curve).label:.1f}"
    )

rising = respond(mean, off, identical_pulses(2.0, 1e-7, 64), drive)
falling = respond(mean, rising.state, identical_pulses(-2.0, 1e-7, 64), drive)
figures = programming_figures(rising.conductance(ON, OFF)[0], falling.conductance(ON, OFF)[0], 0.01)
print(f"\n64 up, 64 down at 2 V: labels {figures.potentiation_label:.1f} and {figures.depression_label:.1f},")
print(f"asymmetry {figures.asymmetry:.1f}, range {figures.dynamic_range:.0f}, {figures.effective_states} states")

print("\ndomains   scatter at s = 0.7   from cycle to cycle   levels of one blind train at 1 % errors")
rise = amplitude_steps(0.8, 3.0, 1e-6, 64)
for domains in (30, 100, 1000, 10000):
    scatter = domain_scatter(
        mean, respond(mean, off, PulseTrain(rise.amplitude[:32], rise.width[:32]), drive).state, domains
    )

    def width(g: np.ndarray, domains: int = domains) -> np.ndarray:
        """Return the binomial scatter of a level, with a read noise of half a percent of the range."""
        s = (g - OFF) / (ON - OFF)
        return (ON - OFF) * np.sqrt(s * (1.0 - s) / domains + 0.005**2)

    count = most_levels(OFF, ON, width, 0.01).count
    print(f"{domains:7d}   {scatter.total:.3f}                {scatter.cycle_to_cycle:.3f}                 {count}")

streams = Streams(1)
targets = np.repeat(OFF + (ON - OFF) * np.array([0.1, 0.3, 0.5, 0.7, 0.9]), 200)
cells = draw_domains(film, AREA, targets.size, streams.generator(Purpose.DOMAINS))
key = streams.key(Purpose.SWITCHING)
how = IncrementalPulses(0.8, 0.8, 0.05, 3.0, 1e-6, tolerance=0.02, verify_noise=0.001)
done = write_verify(
    cells,
    initial_state(cells, key=key),
    targets,
    ON,
    OFF,
    how,
    drive,
    AREA,
    streams.generator(Purpose.PROGRAMMING),
    key=key,
)
print("\nwrite-verify to 2 %, 100 domains:   level   pulses   time      energy    error   converged")
for cost in cost_by_level(done):
    share = (cost.target - OFF) / (ON - OFF)
    print(
        f"                                    {share:.1f}     {cost.pulses:5.1f}    {cost.time * 1e6:5.1f} us  "
        f"{cost.energy * 1e15:5.1f} fJ  {cost.error:.2%}   {cost.converged:.0%}"
    )

print("\nthe abstract write-verify of arrays, 2 %:   switching noise   pulses   converged")
card = load_card("hzo-mfis-nor")
population = draw_population(card, 200, 5, streams.generator(Purpose.POPULATION))
wanted = targets.reshape(5, 200).T
for noise in (card.switching_noise.value, DOMAINS**-0.5):
    state = program(
        population, wanted, ON - OFF, WriteVerify(0.02, 100, 0.001), noise, streams.generator(Purpose.PROGRAMMING, 2)
    )
    needed, share = state.pulses.mean(), state.converged.mean()
    print(f"{'':44s}{noise:.3f}             {needed:5.1f}    {share:.0%}")
