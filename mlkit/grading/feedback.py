"""One self-contained page of feedback for each submission; everything in it is escaped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment

from mlkit.core.html_page import PLAIN_STYLE, html_page
from mlkit.grading.sandbox.walls import Isolation
from mlkit.grading.verdict.verdict import CheckVerdict, Verdict

__all__ = ["page"]

WORDS: Mapping[str, str] = {
    "passed": "✓ passed",
    "failed": "✗ not yet",
    "not_attempted": "· not attempted",
    "error": "✗ ended early",
    "timeout": "✗ took too long",
}
ISOLATION: Mapping[str, str] = {
    "sandboxed": "Graded in a sandbox.",
    "limited": (
        "Graded without a sandbox, in an ordinary process with limits: bubblewrap was not to be "
        "had, so this grade rests on trust in the submission's code."
    ),
}

STYLE = (
    PLAIN_STYLE
    + """
section { border: 1px solid #767676; border-radius: .3rem; padding: .2rem 1rem .6rem;
          margin: 1rem 0; }
section.passed { border-left: .5rem solid #00695c; }
section.lost { border-left: .5rem solid #9c4100; }
h2 { font-size: 1.1rem; margin: .6rem 0 .3rem; }
table { width: 100%; }
th { overflow-wrap: normal; }
th, td { padding: .2rem .6rem .2rem 0; }
code { font-size: .9rem; white-space: pre-wrap; }
"""
)

BODY = """<main>
<h1>{{ verdict.exercise or "Submission" }}</h1>
<p>{{ verdict.student }}: <strong>{{ verdict.score }} of
{{ verdict.max }} point{{ "" if verdict.max == 1 else "s" }}</strong>
({{ verdict.status.replace("_", " ") }})</p>
<p>{{ isolation }}</p>
{% if verdict.flags %}
<h2>Noted</h2>
<ul>{% for flag in verdict.flags %}<li>{{ flag }}</li>{% endfor %}</ul>
{% endif %}
{% for check in verdict.checks %}
<section class="{{ 'passed' if check.status == 'passed' else 'lost' }}">
<h2>{{ words[check.status] }}: {{ check.title }}</h2>
<p>{{ check.points }} of {{ check.max }} point{{ "" if check.max == 1 else "s" }}{%
if check.hidden %}; tried on inputs that the notebook does not show{% endif %}</p>
{% if check.message %}<p>{{ check.message }}</p>{% endif %}
{% if check.differences %}
<table>
<caption>What the check printed</caption>
<thead>
<tr><th scope="col">fact</th><th scope="col">yours</th><th scope="col">expected</th></tr>
</thead>
<tbody>{% for difference in check.differences %}
<tr><th scope="row">{{ difference.fact }}</th><td><code>{{ difference.given }}</code></td>
<td><code>{{ difference.expected }}</code></td></tr>
{% endfor %}</tbody>
</table>
{% endif %}
</section>
{% endfor %}
</main>
"""


def page(verdict: Verdict, isolation: Isolation) -> str:
    """The feedback on one submission as HTML: a reason for every lost point.

    Of hidden checks it holds titles and sentences only, which their author has written.

    Parameters
    ----------
    verdict : Verdict
        The grade.
    isolation : str
        `sandboxed` or `limited`; the page says which.

    Returns
    -------
    str
        A page that loads nothing and runs nothing.
    """
    environment = Environment(autoescape=True)
    template = environment.from_string(BODY)
    shown = [_without_secrets(check) for check in verdict.checks]
    values = {**vars(verdict), "checks": shown}
    body = template.render(verdict=values, words=WORDS, isolation=ISOLATION[isolation])
    return html_page(f"{verdict.exercise}: {verdict.student}", body, style=STYLE)


def _without_secrets(check: CheckVerdict) -> dict[str, Any]:
    differences = () if check.hidden else check.differences
    return {**vars(check), "differences": differences}
