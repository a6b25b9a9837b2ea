"""`python -m tests.features.table`: write the table of features into docs/engines.md.

It is made of `results.json`, which the tests of the places keep true; nobody edits it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from tests.features.catalogue import FEATURES
from tests.features.outcomes import PLACES, REFUSED, SAME, WRITTEN, Results, read_results

__all__ = ["PAGE", "main", "placed", "rendered"]

PAGE = Path(__file__).parents[2] / "docs" / "engines.md"
BEGIN = "<!-- features: written by `make docs-tables` -->"
END = "<!-- end of features -->"


def rendered(results: Results) -> str:
    """Render the table, and below it what is refused, each sentence once.

    Parameters
    ----------
    results : Results
        What the suite has seen.
    """
    sentences = _sentences(results)
    titles = ["feature", *PLACES.values()]
    lines = [_row(titles), _row(["---", *["---"] * len(PLACES)])]
    for feature in FEATURES:
        cells = [_cell(place, results.seen[place][feature.name], sentences) for place in PLACES]
        lines.append(_row([feature.name, *cells]))
    versions = ", ".join(f"{PLACES[name]} {text}" for name, text in results.versions.items())
    lines += ["", f"Seen with {versions}.", ""]
    lines += [f"{number}. Refused: {text}" for text, number in sentences.items()]
    return "\n".join(lines)


def _sentences(results: Results) -> dict[str, int]:
    """Number what is said where something is refused."""
    found: dict[str, int] = {}
    for feature in FEATURES:
        for place in PLACES:
            text = results.seen[place][feature.name]
            if text.startswith(REFUSED):
                found.setdefault(text.removeprefix(REFUSED), len(found) + 1)
    return found


def _cell(place: str, text: str, sentences: Mapping[str, int]) -> str:
    if text == SAME:
        return "written, not run" if place in WRITTEN else "✓"
    if text.startswith(REFUSED):
        return f"refused ({sentences[text.removeprefix(REFUSED)]})"
    raise ValueError(f"the suite has seen what is neither good nor refused: {text}")


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def placed(page: str, table: str) -> str:
    """Put the table between its marks on the page."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table}\n\n{END}{after}"


def main() -> None:
    """Write the page, and say so."""
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(placed(page, rendered(read_results())), encoding="utf-8")
    sys.stdout.write(f"{PAGE}: {len(FEATURES)} features in {len(PLACES)} places\n")


if __name__ == "__main__":
    main()
