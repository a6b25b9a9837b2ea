"""What a class's work teaches, as one page: a picture first, tables behind it; it runs nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jinja2 import Environment, StrictUndefined

from mlkit.core.html_page import html_page
from mlkit.reports.notebook_page import page_style
from mlkit.reports.svg import document as svg_document
from mlkit.reports.svg import element, shorten, text, width_of

__all__ = ["draw_checks", "finding", "render_class_page"]

ROW, BAR, SIZE, CHART, TITLE = 26.0, 16.0, 11.5, 320.0, 46
PARTS: Final = (
    # Colour is never the only sign: each part has its number in it, and a pattern of its own.
    ("passed", ("passed",), "state-succeeded", ""),
    ("failed", ("failed",), "state-failed", "strokes"),
    ("ended early", ("error", "timeout"), "state-cancelled", "dots"),
    ("not attempted", ("not_attempted",), "state-skipped", "none"),
)
PATTERNS = (
    '<defs><pattern id="strokes" width="6" height="6" patternUnits="userSpaceOnUse" '
    'patternTransform="rotate(45)"><rect width="2" height="6" style="fill:var(--failed)"/>'
    '</pattern><pattern id="dots" width="6" height="6" patternUnits="userSpaceOnUse">'
    '<circle cx="3" cy="3" r="1.4" style="fill:var(--cancelled)"/></pattern></defs>'
)


def finding(exercise: Mapping[str, Any]) -> str:
    """What the picture of an exercise shows, in one line."""
    checks = [check for check in exercise["checks"] if check["submissions"]]
    if not checks:
        return f"{exercise['name']}: nobody's answers were graded"
    hardest = min(checks, key=lambda check: check["passed"])
    count = hardest["submissions"]
    if hardest["passed"] == count:
        everybody = "the only one" if count == 1 else f"all {count}"
        return f"{exercise['name']}: {everybody} passed every check"
    return (
        f"{exercise['name']}: hardest is “{hardest['title']}”, passed by "
        f"{hardest['passed']} of {count}"
    )


def draw_checks(exercise: Mapping[str, Any]) -> str:
    """Draw a bar a check: how many passed, failed, ended early, did not attempt it.

    Parameters
    ----------
    exercise : Mapping
        One of the document's exercises.
    """
    checks = exercise["checks"]
    names = [shorten(f"{c['title']}{' (hidden)' if c['hidden'] else ''}", TITLE) for c in checks]
    left = max([width_of(name, SIZE) for name in names], default=0.0) + 12
    most = max([check["submissions"] for check in checks], default=0) or 1
    parts = [PATTERNS, element("text", text(finding(exercise)), x=0.0, y=16.0, class_="heading")]
    parts.append(_legend(36.0))
    head = 54.0
    for index, (name, check) in enumerate(zip(names, checks, strict=True)):
        y = head + index * ROW
        parts.append(element("text", text(name), x=0.0, y=y + 15, class_="small"))
        parts.append(_bar(check, left, y, CHART / most))
    bottom = head + len(checks) * ROW
    parts.append(element("line", x1=left, x2=left, y1=head, y2=bottom, class_="axis"))
    parts.append(
        element("text", text(f"submissions, n = {most}"), x=left, y=bottom + 15, class_="tick")
    )
    words = "; ".join(
        f"{check['title']}: {check['passed']} of {check['submissions']} passed" for check in checks
    )
    width = max(left + CHART + 30, width_of(finding(exercise), 14.0))
    return svg_document("".join(parts), (width, bottom + 24), finding(exercise), words)


def _legend(y: float) -> str:
    parts, x = [], 0.0
    for name, _, state, pattern in PARTS:
        parts.append(_box(x, y - 10, 12, 12, state, pattern))
        parts.append(element("text", text(name), x=x + 17, y=y, class_="small"))
        x += 17 + width_of(name, SIZE) + 16
    return "".join(parts)


def _bar(check: Mapping[str, Any], x: float, y: float, scale: float) -> str:
    parts = []
    for _, statuses, state, pattern in PARTS:
        count = sum(check[status] for status in statuses)
        if count:
            parts.append(_box(x, y + 4, count * scale, BAR, state, pattern))
            label = str(count)
            if count * scale > width_of(label, SIZE) + 6:
                middle = x + count * scale / 2
                parts.append(_number(label, middle, y + 16))
            x += count * scale
    return "".join(parts)


def _number(label: str, x: float, y: float) -> str:
    """A number on a plate of its own, legible on every pattern."""
    wide = width_of(label, SIZE) + 4
    plate = element(
        "rect", x=x - wide / 2, y=y - 10.5, width=wide, height=13.0, rx=2, style="fill:var(--paper)"
    )
    return plate + element("text", text(label), x=x, y=y, text_anchor="middle", class_="small")


def _box(x: float, y: float, width: float, height: float, state: str, pattern: str) -> str:
    faces = [element("rect", x=x, y=y, width=width, height=height, class_="face")]
    if pattern not in ("", "none"):
        fill = f"fill:url(#{pattern})"
        faces.append(element("rect", x=x, y=y, width=width, height=height, style=fill))
    if not pattern:
        faces.append(
            element(
                "rect", x=x, y=y, width=width, height=height, style="fill:var(--ok);opacity:.55"
            )
        )
    return element("g", *faces, class_=state)


STYLE = """
main > section { overflow-x: auto; }
table { border-collapse: collapse; margin-top: 1.2rem; }
caption { text-align: left; color: var(--soft); padding-bottom: .3rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem 1rem .3rem 0;
         border-top: 1px solid var(--line); }
thead th { border-top: 0; }
tbody th, td:last-child { min-width: 12rem; }
tbody th { font-weight: normal; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
pre { background: var(--code); padding: .6rem .8rem; overflow-x: auto; }
"""

BODY = """<main class="mlkit-palette">
<h1>What the class got wrong: {{ d.students }} student{{ "" if d.students == 1 else "s" }},
{{ d.exercises | length }}
exercise{{ "" if d.exercises | length == 1 else "s" }}</h1>
{% for note in d.notes %}<p>{{ note }}</p>{% endfor %}
<section tabindex="0" aria-labelledby="exercises">
<h2 id="exercises">Exercises</h2>
<p id="columns">Mean: the share of the points that were earned. r: the correlation with the points
for everything else, +1.00 at best; in a small class mostly chance, so that something is said of it
only where it is certain.</p>
<table aria-describedby="columns">
<thead><tr><th scope="col">Exercise</th><th scope="col" class="number">Graded</th>
<th scope="col" class="number">Full marks</th><th scope="col" class="number">Missing</th>
<th scope="col" class="number">Mean</th><th scope="col" class="number">r</th>
<th scope="col">Look at</th></tr></thead>
<tbody>{% for e in d.exercises %}
<tr><th scope="row"><a href="#{{ e.name }}">{{ e.name }}</a>: {{ e.title }}</th>
<td class="number">{{ e.graded }} of {{ e.submissions }}</td><td class="number">{{ e.full }}</td>
<td class="number">{{ e.missing }}</td><td class="number">{{ e.difficulty | percent }}</td>
<td class="number">{{ e.discrimination | signed }}</td><td>{{ e.says }}</td></tr>{% endfor %}
</tbody></table>
</section>
{% for e in d.exercises %}
<section tabindex="0" aria-labelledby="{{ e.name }}">
<h2 id="{{ e.name }}">{{ e.name }}</h2>
{{ pictures[loop.index0] | safe }}
<table>
<caption>Check by check</caption>
<thead><tr><th scope="col">Check</th><th scope="col" class="number">Passed</th>
<th scope="col" class="number">r</th><th scope="col">Look at</th></tr></thead>
<tbody>{% for c in e.checks %}
<tr><th scope="row">{{ c.title }}{% if c.hidden %} (hidden){% endif %}</th>
<td class="number">{{ c.passed }} of {{ c.submissions }}</td>
<td class="number">{{ c.discrimination | signed }}</td><td>{{ c.says }}</td></tr>{% endfor %}
</tbody></table>
{% set said = e.checks | said %}
{% if said %}
<table>
<caption>What was said, and how often</caption>
<thead><tr><th scope="col" class="number">How often</th><th scope="col">Sentence</th>
<th scope="col">Check</th></tr></thead>
<tbody>{% for s in said %}
<tr><td class="number">{{ s.count }}</td><td>{{ s.says }}</td><td>{{ s.title }}</td></tr>
{% endfor %}</tbody></table>
{% endif %}
</section>
{% endfor %}
{% if d.alike.answers %}
<section tabindex="0" aria-labelledby="alike">
<h2 id="alike">Look at these: equal answers</h2>
<p>They are equal but for names, comments and docstrings, are not the model's, and few have them.
That proves nothing of how they came about: ask.</p>
{% for a in d.alike.answers[:40] %}
<h3>{{ a.students | join(", ") }}: {{ a.exercise }}, {{ a.answer }}{% if a.to_the_letter %}
<small>to the letter</small>{% endif %}</h3>
<pre tabindex="0">{{ a.excerpt }}</pre>
{% endfor %}
</section>
{% endif %}
{% if d.regrades %}
<section tabindex="0" aria-labelledby="regrades">
<h2 id="regrades">What regrading changed</h2>
<table>
<thead><tr><th scope="col">When</th><th scope="col">Student</th><th scope="col">Exercise</th>
<th scope="col" class="number">Points</th><th scope="col">Checks</th></tr></thead>
<tbody>{% for c in d.regrades | reverse %}
<tr><td>{{ c.time }}</td><td>{{ c.student }}</td><td>{{ c.exercise }}</td>
<td class="number">{{ c.before | points }} → {{ c.after | points }}</td>
<td>{{ c.checks | join(", ") }}</td></tr>{% endfor %}
</tbody></table>
</section>
{% endif %}
</main>
"""


def render_class_page(document: Mapping[str, Any]) -> str:
    """Render the page.

    Parameters
    ----------
    document : Mapping
        What `mlkit class stats --json` prints.

    Returns
    -------
    str
        One HTML document; everything in it is escaped.
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    environment.filters |= {
        "percent": lambda value: "" if value is None else f"{value:.0%}",
        "signed": lambda value: "" if value is None else f"{value:+.2f}",
        "points": lambda value: f"{value:g}",
        "said": _said,
    }
    pictures = [draw_checks(exercise) for exercise in document["exercises"]]
    # Patterns of all pictures have one name: the page needs them once.
    pictures = [p.replace(PATTERNS, "") if n else p for n, p in enumerate(pictures)]
    body = environment.from_string(BODY).render(d=document, pictures=pictures)
    return html_page("What the class got wrong", body, style=page_style() + STYLE)


def _said(checks: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    said = [
        {**sentence, "title": check["title"]}
        for check in checks
        for sentence in check["sentences"]
        if sentence["count"]
    ]
    return sorted(said, key=lambda sentence: -sentence["count"])
