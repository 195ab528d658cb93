"""``ferrogen calibrate``: measured tables in, a card fragment with its uncertainty out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ferrogen.cli import options

if TYPE_CHECKING:
    from ferrogen.calibration.columns import Choice
    from ferrogen.calibration.samples import Sample
    from ferrogen.calibration.table import TableFormat


def calibrate(
    kind: Annotated[
        str,
        typer.Argument(help="What the tables hold: switching, waveform, loop, iv, rtn, pulses, retention, endurance."),
    ],
    files: Annotated[list[Path] | None, typer.Argument(help="Tables: CSV, TSV or columns of text.")] = None,
    *,
    column: Annotated[
        list[str] | None,
        typer.Option(help=r"'quantity = column \[unit]', e.g. 'pulse_width = pw \[us]' or '= #1 \[us]'; repeatable."),
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option(help=r"TOML file with \[columns] and the table's format; --column wins.")
    ] = None,
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="'name = value' of a setting of the kind; repeatable.")
    ] = None,
    thickness: Annotated[str | None, typer.Option(help="Of the ferroelectric, e.g. '10 nm'.")] = None,
    area: Annotated[str | None, typer.Option(help="Of the electrode, e.g. '6.579e-5 cm^2'.")] = None,
    temperature: options.Temperature = None,
    delimiter: Annotated[str, typer.Option(help="tab, comma, semicolon, blank or a character.")] = "",
    decimal_comma: Annotated[bool, typer.Option("--decimal-comma", help="Numbers such as 1,5.")] = False,
    drop_missing: Annotated[bool, typer.Option("--drop-missing", help="Leave out rows with missing values.")] = False,
    source: Annotated[str, typer.Option(help="Key of the data's reference in core/references.toml.")] = "none",
    card: Annotated[
        str | None, typer.Option(help="Base card; a whole card.toml with the fitted parameters is written, too.")
    ] = None,
    name: Annotated[str | None, typer.Option(help=r"Name of that card.  \[default: the base's, with -fitted]")] = None,
    describe: Annotated[bool, typer.Option("--describe", help="Say what the kind reads and may be told.")] = False,
    out: options.Out = Path("calibration"),
    seed: options.Seed = 0,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Fit measured data: values, standard errors, goodness of fit, and what the data cannot tell.

    Writes fragment.toml, calibration.json, residuals.csv, residuals.png and, with --card, card.toml.
    """
    if describe:
        _describe(kind)
        return
    options.check_output(out)
    from ferrogen.calibration.calibrate import calibrate as run
    from ferrogen.calibration.fragment import merge, write_card
    from ferrogen.calibration.result import write_calibration
    from ferrogen.core.files import output_folder
    from ferrogen.device.card import load_card
    from ferrogen.report.calibration import calibration_figure

    base = None if card is None else load_card(card)
    chosen, form = _table_options(column or [], mapping, delimiter, comma=decimal_comma, drop=drop_missing)
    with output_folder(out) as folder:
        result = run(
            kind,
            files or [],
            columns=chosen,
            form=form,
            sample=_sample(thickness, area, temperature),
            settings=_settings(setting or []),
            seed=seed,
            source=source,
        )
        written = write_calibration(result, folder)
        if base is not None:
            new = merge(base, result.fragment, name=name or f"{base.name}-fitted", title=base.title)
            write_card(new, folder / "card.toml", heading=[f"{base.name}, with what `{kind}` data say"])
            written.append("card.toml")
        if calibration_figure(folder / "residuals.png", result):
            written.append("residuals.png")
        if kind == "rtn":
            from ferrogen.report.calibration_rtn import rtn_figure

            if rtn_figure(folder / "rtn.png", result):
                written.append("rtn.png")
    if json:
        options.print_json(result.document())
        return
    for line in result.summary:
        typer.echo(line)
    if not quiet:
        for line in (*result.warnings, *result.fragment.not_identified):
            typer.echo(f"warning: {line}", err=True)
    typer.echo(f"{out}: {', '.join(written)}")


def _describe(kind: str) -> None:
    from ferrogen.calibration.calibrate import load_kind

    found = load_kind(kind)
    typer.echo(f"{found.name}: {found.title}\ncolumns:")
    for item in found.columns:
        unit = "pure number" if item.units == ("1",) else " or ".join(item.units)
        extra = "".join((", optional" * item.optional, ", one or more columns" * item.several))
        typer.echo(f"  {item.name} ({unit}{extra}); found by itself if called {', '.join(item.usual) or item.name}")
    typer.echo("settings (--set 'name = value'):" if found.settings else "no settings")
    for name, setting in found.settings.items():
        among = f" [{', '.join(setting.choices)}]" if setting.choices else ""
        unit = f" {setting.unit}" if setting.unit != "1" else ""
        shown = "not set" if str(setting.default) in ("", "nan") else f"{setting.default}{unit}"
        typer.echo(f"  {name} = {shown}{among}: {setting.says}")


def _table_options(
    column: list[str], mapping: Path | None, delimiter: str, *, comma: bool, drop: bool
) -> tuple[dict[str, Choice], TableFormat]:
    from ferrogen.calibration.columns import load_mapping, parse_choices
    from ferrogen.calibration.table import table_format

    given = {} if mapping is None else load_mapping(mapping)
    chosen: dict[str, Choice] = given.pop("columns", {}) | parse_choices(column)
    if delimiter:
        given["delimiter"] = delimiter
    if comma:
        given["decimal"] = ","
    if drop:
        given["missing"] = "drop"
    return chosen, table_format(given)


def _sample(thickness: str | None, area: str | None, temperature: str | None) -> Sample:
    from ferrogen.calibration.samples import Sample
    from ferrogen.core.units import parse_quantity

    facts = (("thickness", thickness, "m"), ("area", area, "m^2"), ("temperature", temperature, "K"))
    return Sample(**{name: parse_quantity(text, unit, name) for name, text, unit in facts if text is not None})


def _settings(texts: list[str]) -> dict[str, str | float]:
    from ferrogen.core.errors import argument_error

    given: dict[str, str | float] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip() or not value.strip():
            raise argument_error("set", "read 'name = value'", repr(text))
        given[key.strip()] = value.strip()
    return given
