from __future__ import annotations

import numpy as np
import pytest

from ferrogen.device.card import DeviceCard, card_names, load_card
from ferrogen.device.electrostatics.stack import depolarization_field
from ferrogen.device.transport.read_model import compact_of, transport_of

CARDS = [card for card in map(load_card, card_names()) if card.transport is not None]


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_a_card_states_the_currents_of_its_own_barriers(card: DeviceCard) -> None:
    """Conductances and sinh voltage follow from [transport]; cards round to three digits, so 1 % (read range: 3 %)."""
    low, high = card.range_of("read_voltage")
    fit, _ = compact_of(transport_of(card), np.linspace(low, high, 25))
    assert card.on_conductance.value == pytest.approx(fit.on_conductance, rel=0.03, abs=0.0)
    assert card.off_conductance.value == pytest.approx(fit.off_conductance, rel=0.03, abs=0.0)
    assert card.characteristic_voltage.value == pytest.approx(fit.characteristic_voltage, rel=0.03)
    assert fit.largest_error < 0.1


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_a_card_can_hold_its_polarization(card: DeviceCard) -> None:
    """Less than 0.7 MV/cm is left against it: half of a usual coercive field. What bends the bands shifts the loop."""
    transport = transport_of(card)
    p = transport.read_polarization
    field = depolarization_field(transport.stack, p, -transport.compensation * p)
    assert abs(float(field)) < 0.7e8
    low, high = card.range_of("read_voltage")
    _, on_is_down = compact_of(transport, np.linspace(low, high, 5))
    spec = card.transport
    assert spec is not None
    if card.interface is not None:
        if not on_is_down:  # the junction is then the stack with all signs turned
            assert card.interface.built_in_voltage.value == 0.0
            assert card.switching is None or card.switching.local_bias_field.value == 0.0
        difference = spec.top_barrier_height.value - spec.bottom_barrier_height.value
        assert card.interface.built_in_voltage.value == pytest.approx(difference)
