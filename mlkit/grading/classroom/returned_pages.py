"""Pages that load nothing and run nothing: one a student, and an index for the teacher."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jinja2 import Environment, StrictUndefined

from mlkit.core.html_page import PLAIN_STYLE, html_page
from mlkit.grading.classroom.gradebook import Gradebook, Mark
from mlkit.grading.classroom.lateness import lateness_text
from mlkit.grading.classroom.roster import Student
from mlkit.grading.feedback import WORDS

__all__ = ["index_page", "student_page"]

STATUS: Final = {
    "graded": "graded",
    "not_attempted": "not attempted: every answer is still the stub",
    "ungradable": "could not be graded",
    "missing": "nothing was handed in",
}
ELSEWHERE: Final = "nothing that you handed in is known to be this"

STYLE = (
    PLAIN_STYLE
    + """
h2 { font-size: 1.2rem; margin: 1.8rem 0 .3rem; }
table { margin-top: .6rem; }
.wide { overflow-x: auto; }
caption { padding-bottom: .3rem; }
th, td { padding: .3rem .8rem .3rem 0; }
thead th { border-top: 0; font-weight: 600; overflow-wrap: normal; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.lost { color: #8a3a00; }
blockquote { margin: .5rem 0; padding: .2rem 1rem; border-left: .4rem solid #00695c; }
"""
)
WIDE = "body { max-width: 70rem; }"

STUDENT = """<main>
<h1>{{ student.shown }}</h1>
<p>Together <strong>{{ total[0] | points }} of {{ total[1] | points }} points</strong>.</p>
{% for mark in marks %}
<h2>{{ names[mark.exercise] }}</h2>
<p><strong>{{ mark.score | points }} of {{ mark.max | points }} points</strong>
({{ elsewhere if unplaced and mark.status == "missing" else status[mark.status] }}).
{% if mark.late %}Handed in {{ mark | late }}{% if mark.off
%}: {{ "%.0f%%" | format(mark.off * 100) }} of {{ mark.raw | points }} points are off
{%- endif %}.{% endif %}
{% if mark.adjust %}Your teacher has {{ "added" if mark.adjust > 0 else "taken off" }}
{{ mark.adjust | abs | points }}.{% endif %}</p>
{% for comment in mark.comments %}<blockquote>{{ comment }}</blockquote>{% endfor %}
{% if mark.checks %}
<table>
<caption>Check by check</caption>
<thead><tr><th scope="col">What was checked</th><th scope="col">Result</th>
<th scope="col" class="number">Points</th></tr></thead>
<tbody>{% for check in mark.checks %}
<tr><th scope="row">{{ check.title }}</th>
<td>{% if check.manual %}looked at by your teacher{% else %}
<span class="{{ '' if check.status == 'passed' else 'lost' }}">{{ words[check.status] }}</span>
{% if check.message %}<br>{{ check.message }}{% endif %}{% endif %}</td>
<td class="number">{{ check.points | points }} of {{ check.max | points }}</td></tr>{% endfor %}
</tbody>
</table>
{% endif %}
{% if mark.flags %}<p>Noted: {{ mark.flags | join("; ") }}.</p>{% endif %}
{% endfor %}
{% if unplaced %}<h2>Not known to be an exercise</h2>
{% for told in unplaced %}<p>{{ told }}</p>{% endfor %}
<p>You handed this in, and nothing in it tells which exercise it answers. Ask your teacher whether
to hand it in again.</p>{% endif %}
</main>
"""

INDEX = """<main>
<h1>Grades of {{ book.students | length }} students</h1>
{% for note in book.notes %}<p>{{ note }}</p>{% endfor %}
<p><a href="gradebook.csv">gradebook.csv</a> holds the same, and every check.</p>
<div class="wide" tabindex="0" role="region" aria-label="Grades">
<table>
<caption>Points; a name leads to the page that the student gets</caption>
<thead><tr><th scope="col">Student</th>{% if groups %}<th scope="col">Group</th>{% endif %}
{% for exercise in book.exercises %}<th scope="col" class="number">{{ exercise }}</th>{% endfor %}
<th scope="col" class="number">Together</th><th scope="col">Zip</th></tr></thead>
<tbody>{% for student in book.students %}
<tr><th scope="row"><a href="students/{{ names[student.id] | urlencode }}.html">{{ student.shown
}}</a></th>{% if groups %}<td>{{ student.group }}</td>{% endif %}
{% for exercise in book.exercises %}<td class="number">{{ book.marks[student.id, exercise] | cell
}}</td>{% endfor %}
<td class="number">{{ book.total(student.id)[0] | points }} of
{{ book.total(student.id)[1] | points }}</td>
<td><a href="zips/{{ names[student.id] | urlencode }}.zip">zip<span hidden> of {{ student.shown
}}</span></a></td></tr>{% endfor %}
</tbody>
</table>
</div>
</main>
"""


def _environment() -> Environment:
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    environment.filters |= {"points": _points, "late": _late, "cell": _cell}
    return environment


def _points(value: float) -> str:
    return f"{round(value, 2):g}"


def _late(mark: Mark) -> str:
    return "late" if mark.late_s is None else f"{lateness_text(mark.late_s)} late"


def _cell(mark: Mark) -> str:
    if mark.status in ("missing", "ungradable") and not mark.score:
        return {"missing": "–", "ungradable": "ungradable"}[mark.status]
    late = " (late)" if mark.off else ""
    return f"{_points(mark.score)} of {_points(mark.max)}{late}"


def student_page(book: Gradebook, student: Student) -> str:
    """What one student reads: every exercise, every check, what is off and why, comments.

    Parameters
    ----------
    book : Gradebook
        What everybody has; nothing of anybody else gets onto the page.
    student : Student
        Whose page it is.
    """
    values: dict[str, Any] = {
        "student": student,
        "total": book.total(student.id),
        "marks": [book.marks[student.id, exercise] for exercise in book.exercises],
        "names": {
            name: book.known[name].title or name if name in book.known else name
            for name in book.exercises
        },
        "words": WORDS,
        "status": STATUS,
        "elsewhere": ELSEWHERE,
        "unplaced": book.unplaced.get(student.id, ()),
    }
    body = _environment().from_string(STUDENT).render(values)
    return html_page(f"Grades of {student.shown}", body, style=STYLE)


def index_page(book: Gradebook, names: Mapping[str, str]) -> str:
    """What the teacher reads: everybody, with links.

    Parameters
    ----------
    book : Gradebook
        What everybody has.
    names : Mapping
        Student's id → the name of the student's files.
    """
    title = f"Grades of {len(book.students)} students"
    values: dict[str, Any] = {"book": book, "names": names}
    values["groups"] = any(student.group for student in book.students)
    body = _environment().from_string(INDEX).render(values)
    return html_page(title, body, style=STYLE + WIDE)
