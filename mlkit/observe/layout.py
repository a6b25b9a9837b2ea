"""Text of a given width: tables whose cells wrap, and paragraphs; wide characters count double."""

from __future__ import annotations

import os
import re
import shutil
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

__all__ = [
    "broken",
    "cell_width",
    "clean",
    "columns",
    "counted",
    "fits",
    "fold",
    "near",
    "paragraph",
    "terminal_width",
]

_WORD = re.compile(r'(?:(?<=[\w-])\[(?:"(?:\\.|[^"\\])*"|[^\]"])*\]|[^ ])+')
"""What is not parted: a word, and an instance's id with the blanks in its brackets."""
_GAP = 2
_LEAST_WIDTH = 20
_LEAST_COLUMN = 8
"""No column is made narrower than this; where they would have to be, there is no table."""
_MOST_UPWARDS = 2
_NARROW = frozenset("✓✗▶≡○◎»△■⊘↻…–—→←│─╭╮╰╯├┤┬┴┼━")
"""Signs of mlkit's own: to look up how wide they are would cost more time than a table takes."""
_JOINER = "\u200d"
"""Makes one emoji of several; the other invisible characters could reorder a line."""


def terminal_width() -> int:
    """How many columns the terminal has: `COLUMNS`, else what it says, else 80."""
    return max(_LEAST_WIDTH, shutil.get_terminal_size().columns)


def cell_width(text: str) -> int:
    """How many columns of a terminal a text fills; what cannot be printed fills none."""
    if _is_plain(text):
        return len(text)
    return sum(width for _, width in _graphemes(text))


def _is_plain(text: str) -> bool:
    """Whether each character fills one column, told without the tables of Unicode."""
    return text.isascii() or all(
        char in _NARROW or char.isascii() or ("\u00a0" <= char < "\u0300" and char != "\u00ad")
        for char in text
    )


def _graphemes(text: str) -> Iterator[tuple[str, int]]:
    """The characters as people see them, each with its width."""
    from wcwidth import iter_graphemes, wcswidth  # slow to import; needed for few texts only

    for grapheme in iter_graphemes(text):
        yield grapheme, max(0, wcswidth(grapheme))


def counted(number: int, noun: str) -> str:
    """A number of things: `1 stage`, `2 stages`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def near(path: Path, folder: Path) -> str:
    """A path as one types it in a folder: relative, unless it is far away."""
    if path.is_relative_to(folder):
        return str(path.relative_to(folder))
    relative = Path(os.path.relpath(path, folder))
    return str(relative if relative.parts.count("..") <= _MOST_UPWARDS else path)


def clean(text: str) -> str:
    """A text on one line that does nothing to a terminal but stand there."""
    if text.isprintable():
        return text
    plain = (" " if char.isspace() else char for char in text)
    return "".join(char for char in plain if char in _JOINER or _stands(char))


def _stands(char: str) -> bool:
    return unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Cn")


def _head(text: str, width: int) -> str:
    """The longest beginning that fits; one character at least."""
    if _is_plain(text):
        return text[:width]
    filled, head = 0, ""
    for grapheme, wide in _graphemes(text):
        filled += wide
        if filled > width:
            break
        head += grapheme
    return head or text[:1]


def _joint(head: str) -> str:
    """The beginning of a long word, up to a joint of names and paths if one is near its end."""
    found = max(head.rfind(sign) for sign in "/.]_-,=")
    return head[: found + 1] if found >= len(head) // 2 else head


def fold(text: str, width: int) -> list[str]:
    """Break a text into lines of at most a width: between words, and within a word only if it must.

    Parameters
    ----------
    text : str
        Control characters are dropped, line ends are blanks.
    width : int
        At least 2, so that a wide character finds room.
    """
    text = clean(text).rstrip()
    if cell_width(text) <= width:
        return [text]
    lines: list[str] = []
    line = ""
    for word in _words(text, width):
        longer = f"{line} {word}" if line else word
        if cell_width(longer) <= width:
            line = longer
            continue
        if line:
            lines.append(line.rstrip())
        while cell_width(word) > width:
            part = _joint(_head(word, width))
            lines.append(part)
            word = word[len(part) :]
        line = word
    return [*lines, line.rstrip()]


def _words(text: str, width: int) -> Iterator[str]:
    """The words of a text; blanks that follow one another are empty words between them."""
    if "[" not in text:
        yield from text.split(" ")
        return
    place = 0
    while place <= len(text):
        found = _WORD.match(text, place)
        word = found[0] if found is not None else ""
        yield from [word] if cell_width(word) <= width else word.split(" ")
        place += len(word) + 1


def broken(line: str, width: int) -> list[str]:
    """Break a line of code wherever it is full; blanks at its beginning stay."""
    lines = []
    rest = clean(line)
    while cell_width(rest) > width:
        part = _head(rest, width)
        lines.append(part.rstrip())
        rest = rest[len(part) :]
    return [*lines, rest.rstrip()]


def paragraph(text: str, width: int, *, indent: str = "", hanging: str = "") -> str:
    """Wrap a text between its words; a word that is too long (a path, a command) stays whole.

    Parameters
    ----------
    indent : str
        What stands before the first line.
    hanging : str
        What stands before the others.
    """
    lines: list[str] = []
    line = indent
    empty = True
    for word in filter(None, _words(clean(text), width - cell_width(hanging))):
        longer = f"{line}{word}" if empty else f"{line} {word}"
        if empty or cell_width(longer) <= width:
            line, empty = longer, False
        else:
            lines.append(line)
            line = f"{hanging}{word}"
    return "\n".join([*lines, line]).rstrip()


def columns(
    rows: Sequence[Sequence[str]],
    width: int,
    *,
    indent: str = "",
    head: Sequence[str] = (),
    rule: bool = False,
    whole: Collection[int] = (),
) -> str:
    """Align rows of equal length in columns; empty columns vanish, and long cells wrap.

    Parameters
    ----------
    rows : sequence of sequence of str
        The rows.
    width : int
        What no line exceeds (at least 20). The widest columns give first. Where there are more
        columns than fit, each row is written as lines `TITLE: CELL`.
    indent : str
        What stands before each line.
    head : sequence of str
        The titles; a column that has nothing but its title vanishes, too.
    rule : bool
        Draw a line below the titles.
    whole : collection of int
        The columns that never wrap, such as ids that are copied.
    """
    kept = [
        index for index in range(len(head or next(iter(rows), ()))) if any(r[index] for r in rows)
    ]
    if not kept or not rows:
        return ""
    body = [[clean(row[index]) for index in kept] for row in rows]
    titles = [[head[index] for index in kept]] if head else []
    table = [*titles, *body]
    natural = [max(cell_width(row[i]) for row in table) for i in range(len(kept))]
    room = width - cell_width(indent) - _GAP * (len(kept) - 1)
    widths = _shrunk(natural, room, [kept.index(i) for i in whole if i in kept])
    if widths is None:
        return "\n".join(_record(titles, row, width, indent) for row in body)
    lines = [line for row in table for line in _lines(row, widths, indent)]
    if rule and titles:
        below = len(list(_lines(titles[0], widths, indent)))
        lines.insert(below, indent + (" " * _GAP).join("-" * wide for wide in widths))
    return "\n".join(lines)


def fits(rows: Sequence[Sequence[str]], width: int, *, whole: Collection[int] = ()) -> bool:
    """Whether rows of cells, titles among them, make a table of that width."""
    natural = [max(cell_width(row[i]) for row in rows) for i in range(len(rows[0]))]
    return _shrunk(natural, width - _GAP * (len(natural) - 1), whole) is not None


def _shrunk(natural: Sequence[int], room: int, whole: Collection[int]) -> list[int] | None:
    """Take from the widest columns until all fit; None if there are too many of them."""
    widths = list(natural)
    least = [
        wide if index in whole else min(wide, _LEAST_COLUMN) for index, wide in enumerate(natural)
    ]
    if sum(least) > room:
        return None
    while (over := sum(widths) - room) > 0:
        giving = [index for index, item in enumerate(widths) if item > least[index]]
        wide = max(widths[index] for index in giving)
        widest = [index for index in giving if widths[index] == wide]
        following = max([item for item in widths if item < wide] or [0])
        step = max(1, min(wide - following, over // len(widest)))
        for index in widest[: max(1, over)]:
            widths[index] = max(least[index], wide - step)
    return widths


def _lines(row: Sequence[str], widths: Sequence[int], indent: str) -> Iterator[str]:
    cells = [fold(cell, max(2, wide)) for cell, wide in zip(row, widths, strict=True)]
    for number in range(max(map(len, cells))):
        parts = [cell[number] if number < len(cell) else "" for cell in cells]
        padded = (p + " " * (w - cell_width(p)) for p, w in zip(parts, widths, strict=True))
        yield (indent + (" " * _GAP).join(padded)).rstrip()


def _record(titles: Sequence[Sequence[str]], row: Sequence[str], width: int, indent: str) -> str:
    """One row as lines, where a table would have more columns than fit."""
    names = titles[0] if titles else [""] * len(row)
    lines: list[str] = []
    for name, cell in zip(names, row, strict=True):
        if cell:
            words = f"{name}: {cell}" if name else cell
            begun = fold(words, width - cell_width(indent))
            lines += [f"{indent}{line}" for line in begun]
    return "\n".join([*lines, ""])
