from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ferrogen.core.errors import ArgumentError
from ferrogen.core.streams import Purpose, Streams
from ferrogen.device.electrostatics.stack import Stack
from ferrogen.device.polarization.domains import draw_domains, initial_state, mean_domains
from ferrogen.device.polarization.spec import SwitchingSpec
from ferrogen.device.reliability.imprint import Imprint
from ferrogen.device.reliability.retention import Storage, decades, depolarization_per_polarization, retain

STACK = Stack(10e-9, 30.0, 2e-9, 9.0)
STORAGE = Storage(STACK, compensated_share=0.8)
TIMES = decades(1e-6, 1e5, 1)


def test_a_bare_film_keeps_its_state(switching: SwitchingSpec) -> None:
    """Without layers that are not screened there is no field, and only the local bias acts."""
    ensemble = mean_domains(switching, 32, 8)
    flat = replace(ensemble, local_bias_field=np.zeros_like(ensemble.local_bias_field))
    curve = retain(flat, initial_state(flat, 1.0), Storage(Stack(10e-9, 30.0)), TIMES)
    np.testing.assert_allclose(curve.polarization, 0.24, rtol=1e-12)


def test_loss_grows_with_time_depolarization_and_heat(switching: SwitchingSpec) -> None:
    ensemble = mean_domains(switching, 48, 12)
    up = initial_state(ensemble, 1.0)
    curves = [
        retain(ensemble, up, storage, TIMES, tolerance=1e-4).polarization[0]
        for storage in (
            STORAGE,
            replace(STORAGE, compensated_share=0.5),
            replace(STORAGE, temperature=358.0),
        )
    ]
    for curve in curves:
        assert np.all(np.diff(curve) < 0.0)
    assert curves[1][-1] < curves[0][-1] - 0.01
    assert curves[2][-1] < curves[0][-1] - 0.002


def test_imprint_holds_the_state(switching: SwitchingSpec) -> None:
    ensemble = mean_domains(switching, 48, 12)
    up = initial_state(ensemble, 1.0)
    plain = retain(ensemble, up, STORAGE, TIMES, tolerance=1e-4)
    held = retain(ensemble, up, replace(STORAGE, imprint=Imprint(3e6, 1e-3)), TIMES, tolerance=1e-4)
    assert held.polarization[0, -1] > plain.polarization[0, -1] + 1e-3
    assert held.polarization[0, 0] == pytest.approx(plain.polarization[0, 0], abs=1e-4)
    assert held.field[0, -1] > plain.field[0, -1]


def test_up_and_down_are_mirror_images_and_cells_do_not_mix(switching: SwitchingSpec) -> None:
    ensemble = draw_domains(switching, 3e-15, 2, Streams(1).generator(Purpose.DOMAINS))
    mirror = replace(ensemble, local_bias_field=-ensemble.local_bias_field)
    up = retain(ensemble, initial_state(ensemble, 1.0), STORAGE, TIMES, tolerance=1e-6)
    down = retain(mirror, initial_state(mirror, 0.0), STORAGE, TIMES, tolerance=1e-6)
    np.testing.assert_allclose(down.polarization, -up.polarization, rtol=1e-9)
    alone = ensemble.select([1])
    one = retain(alone, initial_state(alone, 1.0), STORAGE, TIMES, tolerance=1e-6)
    # The steps differ, as the other cell no longer takes part in choosing them.
    np.testing.assert_allclose(one.polarization[0], up.polarization[1], atol=0.24 * 2e-5)


def test_steps_grow_with_the_logarithm_of_the_time(switching: SwitchingSpec) -> None:
    ensemble = mean_domains(switching, 32, 8)
    up = initial_state(ensemble, 1.0)
    steps = [retain(ensemble, up, STORAGE, [end], tolerance=1e-4).steps for end in (1e-3, 1e3, 1e9)]
    assert steps[2] < 250
    assert steps[2] - steps[1] < 2 * (steps[1] - steps[0]) + 20


def test_depolarization_is_that_of_the_textbook() -> None:
    # 10 nm at 30 over 2 nm at 9, 20 uC/cm^2 uncompensated: 3.0 MV/cm (device reference, section 3).
    assert depolarization_per_polarization(Storage(STACK)) * 0.2 == pytest.approx(3.01e8, rel=0.01)
    assert depolarization_per_polarization(STORAGE) == pytest.approx(
        0.2 * depolarization_per_polarization(Storage(STACK)), rel=1e-12
    )


def test_bad_arguments_are_refused_by_name(switching: SwitchingSpec) -> None:
    ensemble = mean_domains(switching, 8, 2)
    up = initial_state(ensemble, 1.0)
    for times in ([], [0.0], [2.0, 1.0], [1.0, np.inf]):
        with pytest.raises(ArgumentError, match="`times`"):
            retain(ensemble, up, STORAGE, times)
    with pytest.raises(ArgumentError, match="`tolerance`"):
        retain(ensemble, up, STORAGE, [1.0], tolerance=0.0)
    with pytest.raises(ArgumentError, match="`compensated_share`"):
        Storage(STACK, 1.2)
    with pytest.raises(ArgumentError, match="`temperature`"):
        Storage(STACK, 0.5, None, 10.0)
    with pytest.raises(ArgumentError, match="`last`"):
        decades(1.0, 1.0)
