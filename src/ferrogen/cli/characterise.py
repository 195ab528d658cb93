"""``ferrogen characterise``: draw the data sheet of a junction, of two, or of one beside measured data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ferrogen.cli.options import Out, Quiet, Seed, Temperature, check_output

if TYPE_CHECKING:
    from ferrogen.report.datasheet.measured import Measured


def characterise(
    card: Annotated[
        str, typer.Argument(help="Device card: a shipped name or the path of a .toml file.")
    ] = "hzo-mfis-nor",
    *,
    out: Out = Path("datasheet"),
    seed: Seed = 0,
    temperature: Temperature = None,
    against: Annotated[str | None, typer.Option(help="Another card, drawn into the same panels.")] = None,
    measured: Annotated[
        list[str] | None,
        typer.Option(
            help="KIND=FILE, drawn into the same panels; repeatable. Kinds: switching, loop, iv, pulses, retention,"
            " endurance, rtn."
        ),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(help=r"'quantity = column \[unit]' of the measured tables, as for calibrate; repeatable."),
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option(help=r"TOML file with \[columns] and the tables' format; --column wins.")
    ] = None,
    thickness: Annotated[str | None, typer.Option(help="Of the measured ferroelectric, e.g. '10 nm'.")] = None,
    area: Annotated[str | None, typer.Option(help="Of the measured electrode, e.g. '6.579e-5 cm^2'.")] = None,
    frequency: Annotated[str | None, typer.Option(help="Of a measured loop without a column of times.")] = None,
    interval: Annotated[str | None, typer.Option(help="Between the samples of a measured trace without times.")] = None,
    page: Annotated[
        list[str] | None, typer.Option(help=r"Draw this page only; repeatable, e.g. loops.  \[default: all]")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Write the data sheet of a junction: polarisation, pulses, currents, noise, reliability, scatter.

    datasheet.pdf, a PNG a page, a CSV file a panel, and characterise.json with key figures, assumptions and sources.
    """
    check_output(out)
    from ferrogen.cli.progress import stages
    from ferrogen.core.units import parse_quantity
    from ferrogen.device.noise.traps import REFERENCE_TEMPERATURE
    from ferrogen.report.characterise import characterise_card

    kelvin = REFERENCE_TEMPERATURE if temperature is None else parse_quantity(temperature, "K", "temperature")
    data = _measured(measured or [], column or [], mapping, (thickness, area, frequency, interval))
    with stages(quiet=quiet) as tell:
        record = characterise_card(
            card, out, seed=seed, temperature=kelvin, against=against, measured=data, pages=page or (), progress=tell
        )
    for item in (record, record["against"]):
        if item is None:
            continue
        assumed = len(item["assumed_parameters"])
        typer.echo(
            f"{item['card']} ({assumed} parameters are assumed): {_noise(item)}{item['read_disturb'] or ''}".rstrip()
        )
        for name, reason in item["pages_left_out"].items():
            typer.echo(f"  no page '{name}': {reason}")
    for drawn in record["pages"]:
        for panel in drawn["panels"]:
            for gap in panel["rms_differences"]:
                one, two = gap["between"]
                where = f"{drawn['name']}/{panel['name']}"
                typer.echo(f"  {where}: rms difference of {one} to {two} {gap['value']:.3g} {gap['unit']}")
    typer.echo(f"Data sheet: {out / 'datasheet.pdf'}")


def _noise(record: dict[str, object]) -> str:
    key = record["key_figures"]
    if not isinstance(key, dict) or "ensemble_noise_at_sample_voltage" not in key:
        return ""
    low, high = (key[f"ensemble_noise_at_{mode}_voltage"]["value"] for mode in ("multiply", "sample"))
    return f"noise over mean current {100.0 * low:.2g} % at multiply, {100.0 * high:.2g} % at sample voltage. "


def _measured(
    items: list[str], column: list[str], mapping: Path | None, facts: tuple[str | None, ...]
) -> dict[str, Measured]:
    from ferrogen.calibration.columns import load_mapping, parse_choices
    from ferrogen.calibration.samples import Sample
    from ferrogen.calibration.table import table_format
    from ferrogen.core.errors import argument_error, check_number
    from ferrogen.core.units import parse_quantity
    from ferrogen.report.datasheet.measured import Facts, parse_measured, read_measured

    if not items:
        if column or mapping or any(fact is not None for fact in facts):
            raise argument_error("measured", "be given with columns or facts of measured data", "absent")
        return {}
    given = {} if mapping is None else load_mapping(mapping)
    chosen = given.pop("columns", {}) | parse_choices(column)
    names = (("thickness", "m"), ("area", "m^2"), ("frequency", "Hz"), ("interval", "s"))
    known = {
        name: parse_quantity(text, unit, name)
        for (name, unit), text in zip(names, facts, strict=True)
        if text is not None
    }
    for name, unit in names:
        if name in known:
            check_number(name, known[name], unit)
    sample = Sample(known.get("thickness"), known.get("area"))
    return read_measured(
        [parse_measured(item) for item in items], chosen, table_format(given),
        Facts(sample, known.get("frequency"), known.get("interval")),
    )  # fmt: skip
