from pathlib import Path
from typing import Any

from vlmkit.jobs.counts import Counts
from vlmkit.jobs.plan import Plan


def write_report(
    folder: Path, plan: Plan, own: dict[str, Any], before: list[dict[str, Any]], counts: Counts, copy: Path | None
) -> None: ...
