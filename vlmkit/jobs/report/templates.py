"""Pages are jinja templates that lie beside the code that fills them in; what they have in common lies here."""

from functools import cache, partial
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template

_SHARED = "vlmkit.jobs.report"
_CHARACTERS = {"name": 120, "value": 300, "command_line": 4_000}


def template(name: str, package: str = _SHARED) -> Template:
    """A template of a package, which may take in those of the report. Everything that comes from data is escaped, and
    cut to a length that keeps the page small."""
    return _environment(package).get_template(name)


@cache
def _environment(package: str) -> Environment:
    loader = FunctionLoader(partial(_source, package))
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, loader=loader
    )
    environment.filters |= {"cut": _cut, "number": _number, "percent": _percent, "size": _size, "duration": _duration}
    return environment


def _source(package: str, name: str) -> str | None:
    places = (files(folder).joinpath(name) for folder in (package, _SHARED))
    return next((place.read_text(encoding="utf-8") for place in places if place.is_file()), None)


def _cut(text: object, kind: str) -> str:
    whole, limit = str(text), _CHARACTERS[kind]
    return whole if len(whole) <= limit else whole[:limit] + "…"


def _number(value: float | str) -> str:
    """A score for people: 12,345 or 0.2831; a string as it is."""
    if isinstance(value, str):
        return value
    whole = value == round(value, 0) or abs(value) >= 1000
    return f"{value:,.0f}" if whole and abs(value) < 1e15 else f"{value:.4g}"


def _percent(share: float) -> str:
    """A share in percent; what is little or lacks little is not rounded to nothing or all."""
    if 0 < share < 0.1:
        return "<0.1 %"
    if 99.9 < share < 100:
        return ">99.9 %"
    return f"{share:.0f} %" if share in (0, 100) else f"{share:.1f} %"


def _size(size_bytes: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size_bytes < 1000:
            return f"{size_bytes:.3g} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:,.3g} TB"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60:,} h {minutes % 60} min"
