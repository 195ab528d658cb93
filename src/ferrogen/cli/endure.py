"""``ferrogen endure``: sample, decode, sample, ... and see what 10^5 cycles do to the chip."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ferrogen.cli import options

if TYPE_CHECKING:
    from ferrogen.generation.endurance.run import EnduranceRun
    from ferrogen.generation.endurance.verdict import Verdict


class CycleReading(StrEnum):
    """What a cycle is."""

    READ_OPERATIONS = "read-operations"
    PROGRAM_ERASE = "program-erase"


class SamplingCells(StrEnum):
    """Which cells make the noise."""

    SHARED = "shared"
    DEDICATED = "dedicated"


class ReadPolarity(StrEnum):
    """Direction of the sample voltage."""

    AGAINST_SET = "against-set"
    ALONG_SET = "along-set"


def endure(
    model: Annotated[str, typer.Argument(help="'mnist', or the path of a weight file that `ferrogen train` wrote.")],
    *,
    out: options.Out = Path("endure"),
    cycles: Annotated[int, typer.Option(help="How many.")] = 100_000,
    reading: Annotated[
        CycleReading,
        typer.Option(
            help="What a cycle is: sampling and decoding one image, or erasing and writing all cells"
            " (then sampling and decoding with cells of that age)."
        ),
    ] = CycleReading.READ_OPERATIONS,
    policy: Annotated[
        list[str] | None,
        typer.Option(
            help="Maintenance: none, full, or some of refresh, converters, gain, latents joined by '+'. Give it several"
            " times to compare.  \\[default: none and full]"
        ),
    ] = None,
    sampling: Annotated[
        SamplingCells, typer.Option(help="Sample on cells that hold weights, or on tiles of their own.")
    ] = SamplingCells.SHARED,
    polarity: Annotated[
        ReadPolarity, typer.Option(help="Sample voltage against the direction of set pulses, or along it.")
    ] = ReadPolarity.AGAINST_SET,
    temperature_steps: Annotated[
        str | None, typer.Option(help="cycle:temperature, separated by commas, e.g. '1e3:330 K,1e4:300 K'.")
    ] = None,
    images: Annotated[int, typer.Option(help="Images at every checkpoint.")] = 1000,
    checkpoints: Annotated[int, typer.Option(help="Checkpoints in a tenfold number of cycles.")] = 3,
    maintain_every: Annotated[
        int | None,
        typer.Option(
            help="Cycles between two turns of maintenance.  \\[default: 1000, 3162, 10 000, ... and at steps of the"
            " temperature]"
        ),
    ] = None,
    refresh_threshold: Annotated[
        float, typer.Option(help="Levels by which a tile's cells are off, on average, when it is written again.")
    ] = 0.5,
    start_gain: Annotated[
        bool,
        typer.Option(
            "--start-gain/--no-start-gain",
            help="Whether the decoder's gains are set once before cycle 1, as latents and converters are.",
        ),
    ] = True,
    seed: options.Seed = 0,
    card: options.Card = "hzo-mfis-nor",
    sample_voltage: options.SampleVoltage = None,
    multiply_voltage: options.MultiplyVoltage = None,
    sampling_time: options.SamplingTime = None,
    temperature: options.Temperature = None,
    features: Annotated[
        str, typer.Option(help="Feature network: 'mnist', or 'none' for images that are no digits.")
    ] = "mnist",
    threads: options.Threads = 2,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Sample, decode, sample, ...: what many cycles do to the chip, with and without maintenance.

    Can be stopped at any moment, even killed: the same command goes on where it was. Writes endure.png, endure.csv
    (the numbers), endure.json (verdict and provenance), and records/, one file for every checkpoint.
    """
    options.check_output(out)
    from ferrogen.cli.progress import stages
    from ferrogen.core.errors import InterruptionError
    from ferrogen.core.files import output_folder, write_json
    from ferrogen.device.card import load_card
    from ferrogen.generation.endurance.policy import Maintenance, parse_policy
    from ferrogen.generation.endurance.record import endurance_record
    from ferrogen.generation.endurance.run import endure as run_endure
    from ferrogen.generation.endurance.spec import EnduranceSpec
    from ferrogen.generation.endurance.verdict import judge
    from ferrogen.generation.model_file import load_digit_vae
    from ferrogen.report.endurance import endurance_caption, endurance_figure
    from ferrogen.report.endurance_table import endurance_table
    from ferrogen.report.style import card_footer
    from ferrogen.report.tables import write_csv

    device = load_card(card)
    spec = EnduranceSpec(
        model=load_digit_vae(model, "`ferrogen endure`"),
        model_name=model,
        card=device,
        point=options.operating_point(device, sample_voltage, multiply_voltage, sampling_time, temperature),
        seed=seed,
        cycles=cycles,
        reading=reading.value,
        sampling=sampling.value,
        polarity=polarity.value,
        temperature_steps=_steps(temperature_steps),
        policies=tuple(parse_policy(text) for text in policy or ("none", "full")),
        maintenance=Maintenance(every=maintain_every, refresh_threshold=refresh_threshold),
        start_gain=start_gain,
        images=images,
        per_decade=checkpoints,
        features=features,  # type: ignore[arg-type]  # the spec refuses what is neither
    )
    try:
        with stages(quiet=quiet) as progress:
            run = run_endure(spec, out, threads=threads, progress=progress)
    except KeyboardInterrupt:
        raise InterruptionError(f"interrupted; the same command goes on with what is in '{out}'.") from None
    verdicts = [judge(name, run.programmed, records) for name, records in run.checkpoints.items()]
    record = endurance_record(run, verdicts)
    with output_folder(out) as folder:
        endurance_figure(
            folder / "endure.png",
            run,
            title=f"{cycles:,} cycles of {spec.model_name}, sampled on {sampling.value} cells: {_words(verdicts)}",
            caption=endurance_caption(run),
            footer=card_footer(device),
        )
        write_csv(folder / "endure.csv", endurance_table(run))
        write_json(folder / "endure.json", record)
    if as_json:
        options.print_json(record)
        return
    _tell(out, run, verdicts)


def _words(verdicts: list[Verdict]) -> str:
    def word(item: Verdict) -> str:
        if not item.stable:
            return "not stable"
        return "no limit seen broken" if item.intact else "lost before cycle 1"

    return ", ".join(f"{item.policy} {word(item)}" for item in verdicts)


def _steps(text: str | None) -> tuple[tuple[int, float], ...]:
    """Parse ``1e3:330 K,1e4:300 K``.

    Raises:
        ArgumentError: text that is none.
    """
    from ferrogen.core.errors import argument_error
    from ferrogen.core.units import parse_quantity

    steps = []
    for part in text.split(",") if text else ():
        cycle, colon, kelvin = part.partition(":")
        number = parse_quantity(cycle, "1", "temperature_steps") if colon else 0.0
        if not colon or number != round(number):
            raise argument_error(
                "temperature_steps", "be whole cycles and temperatures, such as '1e3:330 K,1e4:300 K'", repr(text)
            )
        steps.append((int(number), parse_quantity(kelvin, "K", "temperature_steps")))
    return tuple(steps)


def _tell(out: Path, run: EnduranceRun, verdicts: list[Verdict]) -> None:
    typer.echo(f"{run.spec.cycles:,} cycles in {out}: endure.png, endure.csv, endure.json")
    for verdict in verdicts:
        typer.echo(f"  {verdict.summary}")
        last: dict[str, Any] = run.checkpoints[verdict.policy][-1]
        typer.echo(
            f"    energy: {last['energy_per_image']:.3g} J an image, {last['energy_since_start']:.3g} J in all,"
            f" of it {last['maintenance_energy']:.3g} J for maintenance:"
            f" {last['maintenance_recalibrations']} times the decoder's converters or gains,"
            f" {last['maintenance_tiles_written']} tiles written again"
        )
    for sentence in run.remarks:
        typer.echo(f"note: {sentence}", err=True)
