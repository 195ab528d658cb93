"""``ferrogen characterise``: draw one junction of a device card and write its data sheet."""

from __future__ import annotations

from typing import Annotated

import typer

from ferrogen.cli.options import Out, Seed, Temperature, check_output


def characterise(
    card: Annotated[
        str, typer.Argument(help="Device card: a shipped name or the path of a .toml file.")
    ] = "hzo-mfis-nor",
    *,
    out: Out,
    seed: Seed = 0,
    temperature: Temperature = None,
) -> None:
    """Write the data sheet of one junction: currents, telegraph noise, spectra, trap times, averaging."""
    from ferrogen.core.units import parse_quantity
    from ferrogen.device.noise.traps import REFERENCE_TEMPERATURE
    from ferrogen.report.characterise import characterise_card

    kelvin = REFERENCE_TEMPERATURE if temperature is None else parse_quantity(temperature, "K", "temperature")
    check_output(out)
    record = characterise_card(card, out, seed=seed, temperature=kelvin)
    key = record["key_figures"]
    low, high = (key[f"ensemble_noise_at_{mode}_voltage"]["value"] for mode in ("multiply", "sample"))
    typer.echo(
        f"Noise over mean current: {100.0 * low:.2g} % at {key['multiply_voltage']['value']:g} V,"
        f" {100.0 * high:.2g} % at {key['sample_voltage']['value']:g} V"
        f" ({len(record['assumed_parameters'])} parameters of the card are assumed)."
    )
    typer.echo(f"Data sheet: {out / 'datasheet.png'}")
