"""Imports go one way. The sources are parsed, so that an import inside a function counts like one at the top."""

import ast
from pathlib import Path

import pytest

import vlmkit

ROOT = Path(vlmkit.__file__).parent

# Each may import what stands before it; those of one line know nothing of each other.
ORDER = [
    {"errors"},
    {"shards"},
    {"tables"},
    {"pictures"},
    {"jobs"},
    {"inspection"},
    {"models"},
    {"sources", "scores"},
    {"duplicates"},
    {"captions", "mixture"},
    {"exports", "synthesis"},
    {"training"},
    {"evaluation"},
    {"flywheel"},
    {"commands", "cli", "__main__"},
]
LEVEL = {name: level for level, names in enumerate(ORDER) for name in names}
TALKS_TO_TERMINALS = ("commands/", "cli.py", "jobs/progress.py")

SOURCES = sorted(str(path.relative_to(ROOT)) for folder in (ROOT, ROOT / "commands") for path in folder.rglob("*.py"))


def imported(code, package):
    """Full names of all modules that a source imports, and of what it takes out of them."""
    found = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return found


def parts(modules):
    """The parts of vlmkit among the modules: `jobs` for vlmkit.jobs.plan.Plan."""
    return {name.split(".")[1] for name in modules if name.startswith("vlmkit.")} & set(LEVEL)


def imports_of(source):
    package = ".".join(["vlmkit", *Path(source).parent.parts])
    return imported((ROOT / source).read_text(), package)


def test_the_check_sees_lazy_relative_and_typing_imports():
    code = (
        "from . import manifest\n"
        "from ..tables.rows import column\n"
        "if TYPE_CHECKING:\n    from vlmkit.models import names\n"
        "def work():\n    import vlmkit.scores.clip, torch\n    from vlmkit import shards\n"
    )
    found = imported(code, "vlmkit.jobs")
    assert parts(found) == {"jobs", "tables", "models", "scores", "shards"}
    assert "torch" in found


def test_every_part_has_its_place():
    found = {path.name.removesuffix(".py") for path in ROOT.iterdir() if path.is_dir() or path.suffix == ".py"}
    assert found - {"__init__", "__pycache__"} <= set(LEVEL)
    assert {"commands/filter.py", "jobs/plan.py"} <= set(SOURCES)


@pytest.mark.parametrize("source", SOURCES)
def test_imports_go_one_way(source):
    own = Path(source).parts[0].removesuffix(".py")
    forbidden = {part for part in parts(imports_of(source)) if part != own and LEVEL[part] >= LEVEL.get(own, 0)}
    if own in ("cli", "__main__"):
        forbidden -= {"commands", "cli"}
    assert not forbidden, f"vlmkit/{source} imports {sorted(forbidden)}"


@pytest.mark.parametrize("source", [source for source in SOURCES if source.startswith("jobs/")])
def test_jobs_know_only_shards_tables_and_pictures(source):
    assert parts(imports_of(source)) <= {"jobs", "pictures", "tables", "shards", "errors"}


@pytest.mark.parametrize("source", [source for source in SOURCES if source.startswith("pictures/")])
def test_pictures_know_only_shards(source):
    assert parts(imports_of(source)) <= {"pictures", "shards", "errors"}


@pytest.mark.parametrize("source", [source for source in SOURCES if not source.startswith(TALKS_TO_TERMINALS)])
def test_nothing_else_talks_to_terminals(source):
    assert not {name.split(".")[0] for name in imports_of(source)} & {"typer", "rich", "click"}
