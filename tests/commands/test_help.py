"""Help says what a command is for, with an example to copy, and loads nothing heavy for it."""

import json
import subprocess
import sys

import pytest
import typer

import vlmkit as package
from vlmkit.cli import COMMANDS, app

HEAVY = {"torch", "pandas", "pyarrow", "numpy", "PIL", "duckdb", "transformers", "open_clip", "webdataset"}

ROSES = """
from typing import Annotated

import typer

from vlmkit.commands.shared import command
from vlmkit.errors import VlmkitError


@command(example="vlmkit roses --red")
def roses(red: Annotated[bool, typer.Option("--red", help="Red ones.")] = False) -> int:
    \"\"\"Bring roses.\"\"\"
    if not red:
        raise VlmkitError("no roses", "ask for --red ones")
    print("roses")
    return 0
"""


def run(*arguments):
    """A command line in a fresh interpreter: its exit status, what it wrote, and the modules that it loaded."""
    code = (
        "import sys, json\nfrom vlmkit.cli import main\n"
        "try:\n    main()\nexcept SystemExit as ended:\n    status = ended.code\n"
        "print(json.dumps([status, sorted(sys.modules)]), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    status, modules = json.loads(done.stderr)
    return status, done.stdout, {name.split(".")[0] for name in modules}


LEAVES = [
    *((name,) for name in COMMANDS if name not in ("synth-text", "flywheel")),
    ("synth-text", "expand"),
    ("flywheel", "run"),
]


@pytest.mark.parametrize("command", LEAVES, ids=" ".join)
def test_every_command_explains_itself_lightly(command):
    status, said, modules = run(*command, "--help")
    name = " ".join(command)
    assert status == 0
    assert f"Usage: vlmkit {name}" in said
    assert f"  Example: vlmkit {name} " in said
    assert not modules & HEAVY


@pytest.fixture
def line():
    """A command as typer understands it."""

    def find(*names):
        found = typer.main.get_command(app(list(names)))
        for name in names:
            found = found.commands[name]
        return found

    return find


@pytest.mark.parametrize("command", LEAVES, ids=" ".join)
def test_every_option_and_argument_has_a_help_text(line, command):
    parameters = line(*command).params
    assert len(parameters) > 1
    assert [parameter.name for parameter in parameters if not getattr(parameter, "help", None)] == []
    assert line(*command).help


def test_the_list_of_commands_is_light_too():
    status, said, modules = run("--help")
    assert status == 0
    listed = [line.split()[0] for line in said.partition("Commands:\n")[2].partition("\n\n")[0].splitlines()]
    assert sorted(listed) == sorted(COMMANDS)
    assert not modules & HEAVY


def test_options_of_a_job_are_the_same_everywhere(line):
    jobs = ("filter", "dedup", "cat", "download")
    flags = {name: {flag for parameter in line(name).params for flag in parameter.opts} for name in jobs}
    writing = {
        "--limit",
        "--only",
        "--samples-per-shard",
        "--bytes-per-shard",
        "--rejects",
        "--max-bad",
        "--dry-run",
        "--overwrite",
        "--report",
        "--quiet",
        "--json",
    }
    assert all(writing <= known for known in flags.values())
    assert all({"--workers", "--part"} <= flags[name] for name in ("filter", "dedup"))


def test_the_version(vlmkit):
    done = vlmkit("--version")
    assert (done.status, done.out.decode()) == (0, f"vlmkit {package.__version__}\n")


def test_a_command_of_another_package(vlmkit, plugin):
    plugin("vlmkit.commands", "roses", ROSES, "roses")
    assert b"roses       Bring roses." in vlmkit("--help").out
    assert b"Example: vlmkit roses --red" in vlmkit("roses", "--help").out
    done = vlmkit("roses", "--red")
    assert (done.status, done.out) == (0, b"roses\n")
    refused = vlmkit("roses")
    assert (refused.status, refused.err) == (1, "vlmkit roses: no roses\n  ask for --red ones\n")


def test_our_own_commands_load_no_other_package(vlmkit, plugin):
    plugin("vlmkit.commands", "thorns", "raise RuntimeError('a broken package')", "thorns")
    assert vlmkit("filter", "--help").status == 0
    with pytest.raises(RuntimeError, match="a broken package"):
        vlmkit("thorns")
