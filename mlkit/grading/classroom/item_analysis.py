"""Which exercises and checks were hard, and which tell those who know from those who do not. Pure.

Difficulty is the share of the points that the class earned: the item difficulty of classical test
theory. Discrimination is the correlation of an item with the points for everything else, so that
the item is not correlated with itself: the corrected item-total correlation (S. Henrysson,
"Correction of item-total correlations in item analysis", Psychometrika 28, 1963, 211-218). An item
of 0.40 and more is a good one, and where it is negative something is wrong with the item or its key
(R. L. Ebel and D. A. Frisbie, "Essentials of Educational Measurement", 5th edition, 1991, chapter
13). In a small class such a number is mostly chance: something is said of it only where the upper
end of its 95 % interval (by R. A. Fisher's transformation, Metron 1, 1921) lies below.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from mlkit.grading.classroom.gradebook import Gradebook
from mlkit.grading.exercise.source import Exercise
from mlkit.inside.checks.check_facts import PERHAPS, CheckSpec, sentence_of

__all__ = ["correlation", "exercises_of", "upper_end"]

HARD = 0.3
GOOD = 0.4

Row = Mapping[str, Any]


def correlation(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Pearson's correlation; None where one side does not vary."""
    count = len(pairs)
    if count < 2:
        return None
    left, right = ([pair[side] for pair in pairs] for side in (0, 1))
    mean_left, mean_right = sum(left) / count, sum(right) / count
    spread_left = math.sqrt(sum((x - mean_left) ** 2 for x in left))
    spread_right = math.sqrt(sum((y - mean_right) ** 2 for y in right))
    if spread_left < 1e-9 or spread_right < 1e-9:
        return None
    both = sum((x - mean_left) * (y - mean_right) for x, y in pairs)
    return max(-1.0, min(1.0, both / (spread_left * spread_right)))


def upper_end(telling: float, count: int) -> float:
    """The upper end of a correlation's 95 % interval; 1 where there are too few to have one."""
    if count <= 3:
        return 1.0
    inside = max(-1 + 1e-12, min(1 - 1e-12, telling))
    return math.tanh(math.atanh(inside) + 1.96 / math.sqrt(count - 3))


def exercises_of(book: Gradebook) -> list[dict[str, Any]]:
    """Each exercise with its checks: how many, how hard, how telling, and what was said.

    Parameters
    ----------
    book : Gradebook
        The class; a group's submission counts once, by the grader's points alone.
    """
    by_owner: dict[tuple[str, str], float] = {}
    for row in book.rows:
        if row["status"] == "graded":
            key = (row["student"], row["exercise"])
            by_owner[key] = max(by_owner.get(key, 0.0), _share(row["score"], row["max"]))
    return [_exercise(book, name, by_owner) for name in book.exercises]


def _share(points: float, most: float) -> float:
    return points / most if most else 0.0


def _exercise(
    book: Gradebook, name: str, by_owner: Mapping[tuple[str, str], float]
) -> dict[str, Any]:
    rows = [row for row in book.rows if row["exercise"] == name]
    graded = [row for row in rows if row["status"] == "graded"]
    shares = {owner: share for (owner, exercise), share in by_owner.items() if exercise == name}
    pairs = []
    for owner, share in shares.items():
        others = [s for (o, e), s in by_owner.items() if o == owner and e != name]
        if others:
            pairs.append((share, sum(others) / len(others)))
    mean = sum(shares.values()) / len(shares) if shares else None
    telling = correlation(pairs)
    exercise = book.known.get(name)
    statuses = Counter(row["status"] for row in rows)
    statuses["missing"] = sum(book.marks[s.id, name].status == "missing" for s in book.students)
    return {
        "name": name,
        "title": exercise.title if exercise else name,
        "submissions": len(rows),
        "graded": len(graded),
        **{s: statuses[s] for s in ("not_attempted", "ungradable", "missing")},
        "full": sum(share > 1 - 1e-9 for share in shares.values()),
        "difficulty": mean,
        "discrimination": telling,
        "pairs": len(pairs),
        "says": _says(mean, telling, len(shares), len(pairs), list(shares.values())),
        "checks": _checks(graded, exercise),
    }


def _checks(graded: Sequence[Row], exercise: Exercise | None) -> list[dict[str, Any]]:
    specs = {check.id: check for check in exercise.checks} if exercise else {}
    ids = list(dict.fromkeys([*specs, *(c["id"] for row in graded for c in row["checks"])]))
    return [_check(graded, check, specs.get(check)) for check in ids]


def _check(graded: Sequence[Row], name: str, spec: CheckSpec | None) -> dict[str, Any]:
    results = [(row, c) for row in graded for c in row["checks"] if c["id"] == name]
    shares = [_share(c["points"], c["max"]) for _, c in results]
    rest = [_share(row["score"] - c["points"], row["max"] - c["max"]) for row, c in results]
    pairs = list(zip(shares, rest, strict=True))
    mean = sum(shares) / len(shares) if shares else None
    telling = correlation(pairs)
    statuses = Counter(c["status"] for _, c in results)
    messages = Counter(c["message"] for _, c in results if c["message"])
    return {
        "id": name,
        "title": spec.title if spec else name,
        "hidden": spec.hidden if spec else False,
        "submissions": len(results),
        **{s: statuses[s] for s in ("passed", "failed", "not_attempted", "error", "timeout")},
        "difficulty": mean,
        "discrimination": telling,
        "says": _says(mean, telling, len(results), len(results), shares),
        "sentences": _sentences(messages, spec),
    }


def _sentences(messages: Mapping[str, int], spec: CheckSpec | None) -> list[dict[str, Any]]:
    """What was said to how many, misconceptions first; those that nobody has stand there as 0."""
    known = [sentence_of(entry) for entry in spec.misconceptions] if spec else []
    found: Counter[tuple[str, str]] = Counter({("misconception", say): 0 for say in known})
    for text, count in messages.items():
        kind, shown = _kind(text, known, spec)
        found[kind, shown] += count
    ranked = sorted(found.items(), key=lambda item: (item[0][0] != "misconception", -item[1]))
    return [{"kind": kind, "says": text, "count": count} for (kind, text), count in ranked]


def _kind(text: str, known: Sequence[str], spec: CheckSpec | None) -> tuple[str, str]:
    """What sort of sentence it is, without what it says of one answer alone."""
    for sentence in known:
        # A sentence that tells what is asked goes on with what was given; a guess comes last.
        if text == sentence or text.startswith(f"{sentence} "):
            return "misconception", sentence
        if text.endswith(f"{PERHAPS} {sentence}"):
            return "perhaps", sentence
    if spec and spec.otherwise and text.startswith(spec.otherwise):
        return "otherwise", spec.otherwise
    if text.startswith("The cell ") and "does not run: " in text:
        return "other", text.split("does not run: ", 1)[1].split(":", 1)[
            0
        ] + " in the answer's cell"
    return "other", text


def _says(
    mean: float | None,
    telling: float | None,
    count: int,
    pairs: int,
    shares: Sequence[float],
) -> str:
    """What to look at, in a few words; empty where there is nothing to say."""
    if mean is None or count < 2:
        return ""
    told = []
    if mean < HARD:
        told.append("too hard, or not taught yet" if mean else "nobody has it: is it right?")
    if max(shares) - min(shares) < 1e-9:
        told.append("tells nothing apart: all have the same")
    elif telling is not None and (most := upper_end(telling, pairs)) < GOOD:
        wrong_way = "who has the rest fails here: look at its text and key"
        told.append(wrong_way if most < 0 else "tells little apart")
    return "; ".join(told)
