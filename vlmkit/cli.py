"""The entry point: finds the command that is called and imports only that one."""

import importlib
import os
import sys
from importlib import metadata
from typing import Any

import typer

import vlmkit

COMMANDS = (
    "download",
    "filter",
    "dedup",
    "recaption",
    "synth-text",
    "mix",
    "train",
    "eval",
    "flywheel",
    "cat",
    "check",
    "stats",
    "view",
    "compare",
)
ENTRY_POINTS = "vlmkit.commands"  # other packages' commands: looked up only for an unknown name or the full list


def main() -> None:
    # Threads of torch that wait by spinning take the cores from each other, and from whoever shares the machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
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
    for name, found in _found(named).items():
        _add(line, name, found)
    return line


def _add(line: typer.Typer, name: str, found: Any) -> None:
    """Adds a command or, from a dictionary of them, a group."""
    if not isinstance(found, dict):
        line.command(name, epilog=f"Example: {found.example}")(found)
        return
    group = typer.Typer(help=found["help"], rich_markup_mode=None, no_args_is_help=True)
    group.callback()(lambda: None)  # a group stays one even with a single command
    for inner, function in found.items():
        if inner != "help":
            _add(group, inner, function)
    line.add_typer(group, name=name)


def _show_version(asked: bool) -> None:
    if asked:
        print(f"vlmkit {vlmkit.__version__}")
        raise typer.Exit


def _version_option(
    version: bool = typer.Option(False, "--version", is_eager=True, callback=_show_version, help="Show the version."),
) -> None: ...


def _found(named: str | None) -> dict[str, Any]:
    names = [named] if named in COMMANDS else COMMANDS
    found = {name: _load(name) for name in names}
    if named not in COMMANDS:
        found |= {point.name: point.load() for point in metadata.entry_points(group=ENTRY_POINTS)}
    return found


def _load(name: str) -> Any:
    """The function NAME of the module NAME or, where the module has a GROUP of them, these and its words."""
    words = name.replace("-", "_")
    module = importlib.import_module(f"vlmkit.commands.{words}")
    if hasattr(module, "GROUP"):
        words = (module.__doc__ or "").partition(": ")[2]
        return {"help": words[:1].upper() + words[1:], **module.GROUP}
    return getattr(module, words)
