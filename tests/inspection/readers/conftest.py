"""What `check --for` says of tars that are made member by member."""

from collections.abc import Callable

import pytest

from vlmkit.inspection.folders import find
from vlmkit.inspection.readers.check import check_for


@pytest.fixture
def said() -> Callable[..., list[str]]:
    """The defects as `member: what`, and with `notes` the notes."""

    def run(reader: str, *inputs: object, notes: bool = False) -> list[str]:
        found: list[str] = []
        findings = check_for(
            reader,
            find([str(place) for place in inputs]),
            False,
            lambda f: found.append(f"{f.member or '-'}: {f.what}"),
        )
        assert len(found) == findings.defects
        return list(findings.notes) if notes else found

    return run
