"""Facts about the sample that a table does not hold: thickness, area, temperature."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from ferrogen.core.errors import ArgumentError, check_number
from ferrogen.device.noise.traps import REFERENCE_TEMPERATURE


@dataclass(frozen=True, slots=True)
class Sample:
    """What was measured.

    Attributes:
        thickness: of the ferroelectric [m]; None if it was not told.
        area: of the electrode [m^2]; None if it was not told.
        temperature: during the measurement [K]; None if it was not told, and then taken to be 300 K.

    Raises:
        ArgumentError: a fact that is no positive, finite number.
    """

    thickness: float | None = None
    area: float | None = None
    temperature: float | None = None

    def __post_init__(self) -> None:
        for name, unit in (("thickness", "m"), ("area", "m^2"), ("temperature", "K")):
            if getattr(self, name) is not None:
                check_number(name, getattr(self, name), unit)

    @property
    def kelvin(self) -> float:
        """The temperature, 300 K if it was not told [K]."""
        return REFERENCE_TEMPERATURE if self.temperature is None else self.temperature

    def needed_thickness(self) -> float:
        """Return the thickness [m].

        Raises:
            ArgumentError: it was not told.
        """
        if self.thickness is None:
            raise ArgumentError(
                "Argument `thickness` is needed here: voltages become fields by it. Give it, e.g. --thickness '10 nm'."
            )
        return self.thickness

    def needed_area(self) -> float:
        """Return the area [m^2].

        Raises:
            ArgumentError: it was not told.
        """
        if self.area is None:
            raise ArgumentError(
                "Argument `area` is needed here: charges and currents become densities by it. Give it, e.g."
                " --area '100 um^2'."
            )
        return self.area

    def record(self) -> dict[str, float | None]:
        """Return the facts for JSON."""
        return asdict(self)
