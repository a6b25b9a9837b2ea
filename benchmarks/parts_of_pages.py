"""Parts of a page that a benchmark writes, between `<!-- NAME -->` and `<!-- end of NAME -->`."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["SCALE", "part_of", "written"]

SCALE = Path(__file__).parents[1] / "docs" / "scale.md"


def part_of(page: Path, name: str) -> str:
    """What stands in a part."""
    (found,) = _pattern(name).findall(page.read_text("utf-8"))
    return str(found).strip() + "\n"


def written(page: Path, name: str, printed: str) -> None:
    """Put what was printed into a part."""
    text = _pattern(name).sub(lambda _: f"\n{printed.strip()}\n\n", page.read_text("utf-8"))
    page.write_text(text, "utf-8")


def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<=<!-- {name} -->\n).*?(?=<!-- end of {name} -->)", re.DOTALL)
