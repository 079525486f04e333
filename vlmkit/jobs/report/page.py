"""The report of a job: one page that shows what came in, what went out and why, with pictures of both."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined, Template

from vlmkit.jobs.counts import Counts
from vlmkit.jobs.plan import Plan
from vlmkit.jobs.report.charts import chart_columns
from vlmkit.jobs.report.gallery import draw_gallery
from vlmkit.jobs.report.stages import Stage, stages_before
from vlmkit.shards.dataset import committed, committed_shards, own_folder, renamed_when_whole, table_path

_LINES_SHOWN = 20  # of notes, damage, inputs
_CHARACTERS = {"name": 120, "value": 300, "command_line": 4_000}


def report_path(folder: Path) -> Path:
    return own_folder(folder) / "report.html"


def write_report(
    folder: Path,
    plan: Plan,
    own: Mapping[str, Any],
    before: Sequence[Mapping[str, Any]],
    counts: Counts,
    copy: Path | None,
    rejects: Path | None = None,
) -> None:
    """Writes the report of a folder all of whose shards are committed, and a copy if one is asked for.

    `own` is the job's entry in the manifest, `before` the history of its inputs, `rejects` the folder of what was
    dropped. A copy that can't be written is told on stderr: the work is done, and the report lies in the folder.
    """
    page = _page(folder, plan, own, before, counts, rejects).encode("utf-8", "replace")  # JSON may hold half characters
    with committed(report_path(folder), folder) as file:
        file.write(page)
    if copy is not None:
        try:
            _write_copy(page, copy)
        except OSError as error:
            print(f"no report at {copy} ({error.strerror}); it lies at {report_path(folder)}", file=sys.stderr)


def _page(
    folder: Path,
    plan: Plan,
    own: Mapping[str, Any],
    before: Sequence[Mapping[str, Any]],
    counts: Counts,
    rejects: Path | None,
) -> str:
    shards = committed_shards(folder)
    return _template().render(
        folder=folder,
        own=own,
        options={name: json.dumps(value, ensure_ascii=False) for name, value in plan.options.items()},
        counts=counts,
        shards=len(shards),
        finished=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        stage=Stage.of(own, counts),
        before=stages_before(before, counts.earlier),
        notes=_notes(counts),
        charts=chart_columns([table_path(folder, shard) for shard in shards], plan.options),
        gallery=draw_gallery(folder, plan, counts, rejects),
        lines_shown=_LINES_SHOWN,
    )


def _notes(counts: Counts) -> list[str]:
    """What a reader should know beside the numbers, the worst first."""
    notes = [f"{counts.bad:,} samples could not be read or decoded"] if counts.bad else []
    notes += [*counts.damage, *(f"{number:,} {what}" for what, number in counts.notes.most_common())]
    rest = len(notes) - _LINES_SHOWN
    return notes if rest <= 0 else [*notes[:_LINES_SHOWN], f"and {rest:,} more"]


def _write_copy(page: bytes, copy: Path) -> None:
    copy.parent.mkdir(parents=True, exist_ok=True)
    with renamed_when_whole(copy.with_name(f".{copy.name}.{os.getpid()}"), copy) as file:
        file.write(page)


def _template() -> Template:
    """Everything that comes from data is escaped, and cut to a length that keeps the page small."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"cut": _cut, "number": _number, "percent": _percent, "size": _size, "duration": _duration}
    return environment.from_string(files("vlmkit.jobs.report").joinpath("page.html").read_text(encoding="utf-8"))


def _cut(text: object, kind: str) -> str:
    whole, limit = str(text), _CHARACTERS[kind]
    return whole if len(whole) <= limit else whole[:limit] + "…"


def _number(value: float | str) -> str:
    """A score for people: 12,345 or 0.2831; a string as it is."""
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if value == round(value, 0) and abs(value) < 1e15 else f"{value:.4g}"


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
