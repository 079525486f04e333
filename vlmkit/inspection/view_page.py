"""The gallery as one self-contained page. It loads nothing; the one script it runs is named by its hash, so that no
other could run whatever the data hold."""

import base64
import hashlib
from collections import Counter
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from markupsafe import Markup

from vlmkit.inspection.view import Drawn
from vlmkit.jobs.report.page import write_page
from vlmkit.jobs.report.templates import template


def write_gallery(datasets: Sequence[Drawn], path: Path, what: str) -> int:
    """Writes the page; returns its size in bytes. `what` says in a line which samples these are."""
    script = files("vlmkit.inspection").joinpath("view.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    fates = Counter(card.fate for drawn in datasets for card in drawn.cards if card.fate)
    page = template("view.html", "vlmkit.inspection").render(
        datasets=datasets,
        fates=sorted(fates.items(), key=lambda fate: (fate[0] != "kept", -fate[1], fate[0])),
        total=sum(len(drawn.cards) for drawn in datasets),
        what=what,
        script=Markup(script),
        digest=digest,
    )
    data = page.encode("utf-8", "replace")  # JSON may hold half characters
    write_page(data, path)
    return len(data)
