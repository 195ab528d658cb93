"""Addressed random streams: noise is found by its address, never by the order in which it was asked for.

A stream is addressed by a seed, a purpose and integers such as tile and column. Vectorised draws of fixed shape use
a NumPy generator (:meth:`Streams.generator`); draws that must not depend on batch, order or threads use a 64-bit key
(:meth:`Streams.key`) with the counter-based generator of :mod:`ferrogen.core.philox`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from ferrogen.core.errors import argument_error


class Purpose(IntEnum):
    """What a stream is for. The numbers are part of the reproducibility promise: never reuse or renumber one."""

    POPULATION = 1
    PROGRAMMING = 2
    TELEGRAPH_WINDOW = 3
    TELEGRAPH_TRACE = 4
    SAMPLE_AMPLIFIER = 5
    MULTIPLY_NOISE = 6
    IDEAL_LATENT = 7
    TRAINING = 8
    BOOTSTRAP = 9
    CALIBRATION = 10
    TEST_PATTERN = 11
    INITIAL_WEIGHTS = 12
    DOMAINS = 13
    SWITCHING = 14
    ELECTRONIC_NOISE = 15
    MULTISTATE_TRAP = 16
    VARIABILITY = 17
    BREAKDOWN = 18
    SYNTHETIC_DATA = 19
    CONVERTER_MISMATCH = 20
    CONVERSION_NOISE = 21
    FAULTS = 22
    SELF_TEST = 23
    DISTURB = 24
    FLICKER = 25
    STATISTICAL_LATENT = 26
    LATENT_SOURCE = 27
    TRAINING_NOISE = 28
    BITS = 29
    HARDWARE_TRAINING = 30
    GENERATOR_EXAMPLE = 31
    CLASS_PRIOR = 33
    FEATURE_TRAINING = 34
    DATA_SPLIT = 35


@dataclass(frozen=True, slots=True)
class Streams:
    """All random streams of one run, addressed below one seed.

    Args:
        seed: any integer from 0 to 2**63 - 1.

    Raises:
        ArgumentError: the seed is negative, too large, or not an integer.
    """

    seed: int

    def __post_init__(self) -> None:
        if type(self.seed) is not int or not 0 <= self.seed < 2**63:
            raise argument_error("seed", "be an integer from 0 to 2**63 - 1", repr(self.seed))

    def _sequence(self, purpose: Purpose, address: tuple[int, ...]) -> np.random.SeedSequence:
        return np.random.SeedSequence(entropy=self.seed, spawn_key=(int(purpose), *address))

    def generator(self, purpose: Purpose, *address: int) -> np.random.Generator:
        """Return a fresh NumPy generator for this address (Philox 4x64, independent of all others)."""
        return np.random.Generator(np.random.Philox(self._sequence(purpose, address)))

    def key(self, purpose: Purpose, *address: int) -> np.uint64:
        """Return the 64-bit key of this address for the counter-based generator."""
        return np.uint64(self._sequence(purpose, address).generate_state(1, np.uint64)[0])
