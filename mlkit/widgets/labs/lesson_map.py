"""The map of the lessons, with what a learner has solved."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from mlkit.errors import MlkitError
from mlkit.reports.svg import document, element, text
from mlkit.widgets.kit.base import Panel
from mlkit.widgets.kit.controls import button, row
from mlkit.widgets.kit.markup import Markup
from mlkit.widgets.kit.server_links import Server, find_server, link
from mlkit.widgets.labs.lesson_plan import LESSONS, PARTS, Lesson, ProgressBook, State
from mlkit.widgets.views.comparison_html import table

__all__ = ["LessonMap", "draw_map", "map_html"]

_BOX, _HEIGHT, _GAP, _LABEL = 176.0, 46.0, 22.0, 138.0
_LOOKS: Mapping[State, tuple[str, str]] = {
    State.SOLVED: ("✓", "succeeded"),
    State.ATTEMPTED: ("✗", "failed"),
    State.BEGUN: ("✎", "running"),
    State.TO_DO: ("·", "none"),
    State.MISSING: ("–", "skipped"),
}
Address = Callable[[Lesson], tuple[str, str]]
"""Of a lesson: its address, and what JupyterLab opens."""


def draw_map(states: Mapping[str, State], address: Address | None = None) -> str:
    """Draw a row for each part of the course, and in it a box for each lesson.

    Parameters
    ----------
    states : mapping of str to State
        Of each exercise.
    address : callable, optional
        Where a lesson's box leads.
    """
    parts = []
    for line, (part, lessons) in enumerate(PARTS.items()):
        y = 6.0 + line * (_HEIGHT + 16)
        parts.append(element("text", text(part), x=0.0, y=y + _HEIGHT / 2 + 4, class_="heading"))
        for place, lesson in enumerate(lessons):
            x = _LABEL + place * (_BOX + _GAP)
            if place:
                middle = y + _HEIGHT / 2
                line_ = {"x1": x - _GAP, "x2": x, "y1": middle, "y2": middle}
                parts.append(element("line", class_="axis", **line_))
            parts.append(_box(lesson, states[lesson.exercise], (x, y), address))
    width = _LABEL + 4 * _BOX + 3 * _GAP + 4
    height = len(PARTS) * (_HEIGHT + 16) + 6
    title = _finding(states)
    words = " ".join(f"{le.number} {le.title}: {states[le.exercise].value}." for le in LESSONS)
    return document("".join(parts), (width, height), title, words)


def map_html(states: Mapping[str, State], address: Address) -> str:
    """Write the same map as lists, whose boxes wrap where there is no room for a row.

    Parameters
    ----------
    states : mapping of str to State
        Of each exercise.
    address : callable
        Where a lesson's box leads.
    """
    parts = []
    for part, lessons in PARTS.items():
        items = "".join(_item(lesson, states[lesson.exercise], address) for lesson in lessons)
        parts.append(f"<section><h4>{text(part)}</h4><ol>{items}</ol></section>")
    return f'<div class="mlkit-lessons">{"".join(parts)}</div>'


def _item(lesson: Lesson, state: State, address: Address) -> str:
    glyph, looks = _LOOKS[state]
    name = f"{lesson.number} {lesson.title}"
    link_ = _link(f"<b>{text(name)}</b>", lesson, state, address)
    said = f'<span class="mlkit-state">{glyph} {state.value}</span>'
    return f'<li class="state-{looks}">{link_}{said}</li>'


def _link(body: str, lesson: Lesson, state: State, address: Address) -> str:
    """A link to a lesson, which JupyterLab opens by its own command."""
    href, path = address(lesson)
    return element(
        "a",
        body,
        href=href,
        aria_label=f"Lesson {lesson.number} {lesson.title}: {state.value}",
        data_commandlinker_command="docmanager:open" if path else None,
        data_commandlinker_args=json.dumps({"path": path}) if path else None,
    )


def _finding(states: Mapping[str, State]) -> str:
    solved = sum(state is State.SOLVED for state in states.values())
    return f"{solved} of {len(LESSONS)} lessons' exercises are solved"


def _box(lesson: Lesson, state: State, at: tuple[float, float], address: Address | None) -> str:
    x, y = at
    glyph, looks = _LOOKS[state]
    name = f"{lesson.number} {lesson.title}"
    body = element("rect", x=x, y=y, width=_BOX, height=_HEIGHT, rx=7, class_="face")
    body += element("text", text(name), x=x + 11, y=y + 20, class_="name")
    body += element(
        "text", text(f"{glyph} {state.value}"), x=x + 11, y=y + 37, class_="small state"
    )
    if address is not None:
        body = _link(body, lesson, state, address)
    return element("g", body, class_=f"state-{looks}")


class LessonMap(Panel):
    """The lessons as a map: each leads to its notebook, and shows how its exercise stands.

    Parameters
    ----------
    home : Path or str, optional
        The folder with `notebooks/`, `exercises/` and `solutions/`; default: the one above the
        working directory.
    """

    title = "The lessons"

    def __init__(self, home: Path | str | None = None) -> None:
        self.home = Path(home or Path.cwd().parent).resolve()
        self.book = ProgressBook(self.home, self.home / "notebooks" / "scratch" / "progress.json")
        self._server = find_server()
        self._thread: threading.Thread | None = None
        self.check_button = button("Check my exercises", self.start)
        self.said, self.map, self.table = Markup(live=True), Markup(), Markup()
        super().__init__(self.map, row(self.check_button), self.said, self.table)
        self.refresh()

    def refresh(self) -> None:
        """Look at the exercises again, without running them."""
        self.states = self.book.states()
        self.map.markup = map_html(self.states, self._address)
        self.table.markup = f"<details><summary>As a table</summary>{self._table()}</details>"

    def start(self) -> None:
        """Grade what has been begun, in the background."""
        if self._thread is not None and self._thread.is_alive():
            return
        self.check_button.disabled = True
        self._say("Checking what you have begun …")
        self._thread = threading.Thread(target=self._check, name="mlkit-progress", daemon=True)
        self._thread.start()

    def check(self) -> Mapping[str, State]:
        """Grade what has been begun, and wait."""
        self.start()
        assert self._thread is not None, "start has made it"
        self._thread.join()
        return self.states

    def _check(self) -> None:
        try:
            self.book.check(self._say)
            self.refresh()
            self._say(_finding(self.states) + ".")
        except MlkitError as error:
            self._say(f"✗ {error}")
        finally:
            self.check_button.disabled = False

    def _say(self, words: str) -> None:
        self.said.markup = f"<div>{text(words)}</div>"

    def _file(self, lesson: Lesson) -> Path:
        return self.home / "notebooks" / "lessons" / f"{lesson.slug}.ipynb"

    def _address(self, lesson: Lesson) -> tuple[str, str]:
        return _address(self._file(lesson), self._server)

    def _table(self) -> str:
        rows = (
            [
                link(self._file(lesson), f"{lesson.number} {lesson.title}", self._server),
                link(self.book.notebook(lesson.exercise), lesson.exercise, self._server),
                f"{_LOOKS[self.states[lesson.exercise]][0]} {self.states[lesson.exercise].value}",
            ]
            for lesson in LESSONS
        )
        return table("Lessons and their exercises", ("lesson", "exercise", "state"), rows)

    def pictures(self) -> Sequence[str]:
        """The map."""
        return [draw_map(self.states)]


def _address(file: Path, server: Server | None) -> tuple[str, str]:
    """Where a box leads: into JupyterLab, or to the file beside this notebook."""
    if server is None or not file.is_relative_to(server.root):
        return f"lessons/{quote(file.name)}", ""
    inside = file.relative_to(server.root).as_posix()
    return f"{server.base_url}lab/tree/{quote(inside)}", inside
