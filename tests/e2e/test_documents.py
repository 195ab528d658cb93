"""Documents keep their word: commands exist, links lead somewhere, the two set-up lines are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "benchmarks" / "README.md"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_named_in_documents_have_these_options(page: Path) -> None:
    from typer.main import get_command

    from ferrogen.cli.main import app

    commands = {
        name: {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        for name, command in get_command(app).commands.items()  # type: ignore[attr-defined]
    }
    for line in re.findall(r"(?m)ferrogen ([a-z]+ [^`\n|&]*)", page.read_text(encoding="utf-8")):
        name, *rest = line.split()
        if name in commands:
            unknown = {word.split("=")[0] for word in rest if re.fullmatch(r"--[a-z-]+(=.*)?", word)} - commands[name]
            assert not unknown, f"ferrogen {name}: {unknown}"


def test_readme_has_both_setup_lines() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for kind in ("main", "test"):
        block = re.search(rf"<!-- ci: {kind} -->\n```sh\n(.*)\n```", text)
        assert block, f"no one-line command after '<!-- ci: {kind} -->'"
