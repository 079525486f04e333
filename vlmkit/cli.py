"""The entry point: finds the command that is called and imports only that one."""

import importlib
import sys
from collections.abc import Callable
from importlib import metadata
from typing import Any

import typer

import vlmkit

COMMANDS = ("download", "filter", "dedup", "cat", "check", "stats")
ENTRY_POINTS = "vlmkit.commands"  # other packages' commands: looked up only for an unknown name or the full list

Function = Callable[..., Any]


def main() -> None:
    app(sys.argv[1:])(sys.argv[1:], prog_name="vlmkit")


def app(arguments: list[str]) -> typer.Typer:
    """The command line that these arguments need: one command, or all of them if none is named."""
    line = typer.Typer(
        name="vlmkit",
        help="Commands that read and write WebDataset tar shards: they pipe, chain in scripts, and run as SLURM jobs.",
        epilog="vlmkit COMMAND --help says more, with an example to copy.",
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    line.callback()(_version_option)
    named = next((argument for argument in arguments if not argument.startswith("-")), None)
    for name, function in _functions(named).items():
        line.command(name, epilog=f"Example: {function.example}")(function)
    return line


def _show_version(asked: bool) -> None:
    if asked:
        print(f"vlmkit {vlmkit.__version__}")
        raise typer.Exit


def _version_option(
    version: bool = typer.Option(False, "--version", is_eager=True, callback=_show_version, help="Show the version."),
) -> None: ...


def _functions(named: str | None) -> dict[str, Any]:
    names = [named] if named in COMMANDS else COMMANDS
    found = {name: importlib.import_module(f"vlmkit.commands.{name}").__dict__[name] for name in names}
    if named not in COMMANDS:
        found |= {point.name: point.load() for point in metadata.entry_points(group=ENTRY_POINTS)}
    return found
