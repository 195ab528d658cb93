"""Where the read current of every card comes from, and what the compact read model leaves over.

    python benchmarks/read_currents.py [CARD ...]

For each card with a section [transport]: the currents of a cell by mechanism and polarisation, the compact model that
they imply over the card's read voltages beside the one the card states, the depolarisation field, and from which
lateral coupling of domains on the averaged barrier is nearer to a sum over domains than domains in parallel.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from timing import write_results

from ferrogen.device.card import DeviceCard, card_names, load_card
from ferrogen.device.electrostatics.stack import depolarization_field, ferroelectric_share
from ferrogen.device.transport.read_model import CurrentParts, compact_of, current_density, law_errors, transport_of


def describe(card: DeviceCard) -> dict[str, Any]:
    transport = transport_of(card)
    low, high = card.range_of("read_voltage")
    fit, on_is_down = compact_of(transport, np.linspace(low, high, 25))
    p = transport.read_polarization
    parts: dict[str, Any] = {}
    for voltage in (low, 0.5 * (low + high), high):
        for name, sign in (("up", -1.0), ("down", 1.0)):
            found: CurrentParts = current_density(transport, voltage, sign * p)
            parts[f"{voltage:.3g} V, {name}"] = {
                kind: float(getattr(found, kind)) * transport.area
                for kind in ("tunnelling", "trap_assisted", "leakage")
            }
    couplings = np.linspace(0.0, 1.0, 21)
    nearer = [c for c in couplings if np.diff(law_errors(transport, float(c), 0.5 * (low + high)))[0] < 0.0]
    return {
        "depolarization_field_V_per_m": float(depolarization_field(transport.stack, p, -transport.compensation * p)),
        "ferroelectric_share": ferroelectric_share(transport.stack),
        "on_conductance_S": [fit.on_conductance, card.on_conductance.value],
        "off_conductance_S": [fit.off_conductance, card.off_conductance.value],
        "characteristic_voltage_V": [fit.characteristic_voltage, card.characteristic_voltage.value],
        "largest_relative_error": fit.largest_error,
        "on_state_points_down": on_is_down,
        "averaged_law_from_coupling": float(nearer[0]) if nearer else 1.0,
        "currents_A": parts,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cards", nargs="*")
    names = parser.parse_args().cards or [name for name in card_names() if load_card(name).transport is not None]
    if not names:
        print("No card has a section [transport].")
        return
    results = {card.name: describe(card) for card in map(load_card, names)}
    print("| card | E_dep (MV/cm) | share | G_on (S), card's | on/off, card's | V0 (V), card's | worst | coupling |")
    print("|---|---|---|---|---|---|---|---|")
    for name, item in results.items():
        on, off, scale = (item[key] for key in ("on_conductance_S", "off_conductance_S", "characteristic_voltage_V"))
        print(
            f"| {name} | {item['depolarization_field_V_per_m'] / 1e8:.2f} | {item['ferroelectric_share']:.2f} |"
            f" {on[0]:.3g} / {on[1]:.3g} | {on[0] / off[0]:.3g} / {on[1] / off[1]:.3g} | {scale[0]:.3g} /"
            f" {scale[1]:.3g} | {item['largest_relative_error']:.1%} | {item['averaged_law_from_coupling']:.2f} |"
        )
    print("\n| card | state | tunnelling (A) | single traps (A) | leakage (A) |\n|---|---|---|---|---|")
    for name, item in results.items():
        for state, part in item["currents_A"].items():
            print(f"| {name} | {state} | " + " | ".join(f"{value:.2e}" for value in part.values()) + " |")
    write_results("read_currents", [{"card": name, **item} for name, item in results.items()])


if __name__ == "__main__":
    main()
