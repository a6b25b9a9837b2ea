"""What a check cell printed, held against what it should have printed. Pure.

A check cell prints one JSON object, its *facts*: a name for each situation that it tried, and what
the answer gave there. Every fact is compared by itself, so that a learner can be told which
situation went wrong, and which misconception that looks like.
"""

from __future__ import annotations

import builtins
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

__all__ = [
    "CONDITIONS",
    "KIND_WORDS",
    "PERHAPS",
    "CheckSpec",
    "Judgement",
    "Observation",
    "Status",
    "is_guess",
    "judge",
    "read_facts",
    "same",
    "sentence_of",
]

Status = Literal["passed", "failed", "not_attempted", "error", "timeout"]
Ended = Literal["", "timeout", "died", "memory", "output", "files"]
Accept = Callable[[Any, Mapping[str, Any]], bool]

SHORT = 120
DEEPEST = 210  # `mlkit.inside.facts.plain` goes down 100, and each set takes two of these
STUB_ERROR = "NotImplementedError"
AN_EXCEPTION = "an exception"
SLIPS = ("NameError", "AttributeError", "UnboundLocalError", "ImportError", "ModuleNotFoundError")
"""Exceptions that nobody raises on purpose: where one came, the answer did not come to its end."""
BREAKS = ("TypeError", "KeyError", "IndexError", "ZeroDivisionError")
"""Exceptions that people raise on purpose where a task asks for them, and hardly elsewhere."""
# Who raised it, nothing proves: the check may have, at what the answer gave.
WHO = "your answer raised it, or gave something other than what was asked for."
NOT_ATTEMPTED = "Not attempted yet: the answer is still the stub that you were given."
ENDED: Mapping[str, str] = {
    "timeout": "Your answer did not come to an end in the time allowed: look for an endless loop.",
    "died": "The Python process ended while your answer ran: an answer must not end the process.",
    "memory": "Your answer took more memory than allowed.",
    "output": "Your answer printed far more than allowed: look for an endless loop that prints.",
    "files": "Your answer made more files than allowed.",
}
UNKNOWN_NAME = (
    "Your answer uses a name that is not defined when the notebook is run from top to bottom. What "
    "it needs must be in the answer cells, in cells of your own, or in those that were given."
)
UNDEFINED = (
    "No cell defines {name!r} when the notebook is run from top to bottom. Has your answer another "
    "name, does its cell fail before the definition, or is it in a cell that was not saved?"
)
KINDS: Mapping[type, str] = {
    bool: "a truth value",
    int: "a number",
    float: "a number",
    str: "a text",
    list: "a list",
    dict: "a mapping",
    type(None): "nothing (None)",
}
KIND_WORDS: Mapping[str, str] = {
    **{"truth": KINDS[bool], "number": KINDS[int], "text": KINDS[str], "list": KINDS[list]},
    **{"mapping": KINDS[dict], "none": KINDS[type(None)], "set": "a set", "error": "an exception"},
}
NO_PLAIN_FORM = re.compile(r"<(class '[\w.]+'|[\w.]+)>")
"""How a check shows what is neither number nor text, list or mapping: `<generator>`."""
CONDITIONS = ("error", "timeout", "died", "wrong", "right", "kinds", "when")
SINGLING_OUT = ("error", "timeout", "died", "when")
PERHAPS = "It may be this:"
ASLEEP = (
    "When the time allowed was over, your answer was asleep: it waits for the clock, by time.sleep "
    "or in another way, where it should not."
)
WAITING = (
    "When the time allowed was over, your answer computed nothing. It waits for something that has "
    "not come, such as a lock, a queue, another thread or process, or the clock."
)
SILENT = (
    "The check printed nothing that it could be judged by. Does your answer print, or change print?"
)


@dataclass(frozen=True, kw_only=True)
class CheckSpec:
    """One check cell: what it runs, what it is worth, and what it says.

    Parameters
    ----------
    id : str
        The cell's id, `check-…`.
    source : str
        The code of the probe.
    title : str
        What is checked, in a few words.
    points : float
        What a pass is worth.
    hidden : bool
        Whether the cell exists in the grader's copy only.
    answers : tuple of str
        Ids of the answer cells that the check is about.
    expected : Mapping
        The facts that the model solution gives.
    accept : Mapping
        Fact → rule, for facts that have more than one right value.
    tolerance : float
        How far two numbers may lie apart, relatively and absolutely.
    misconceptions : tuple of Mapping
        The first entry that fits a wrong result gives the sentence: `say` names the mistake,
        `asks` only what is asked where the result is wrong.
    otherwise : str
        The sentence for every other wrong result.
    hints : tuple of str
        Shown one by one, on request.
    witness : Mapping
        What the operating system must report of files, if the grader looks at some from outside.
    """

    id: str
    source: str = ""
    title: str = ""
    points: float = 0
    hidden: bool = False
    answers: tuple[str, ...] = ()
    expected: Mapping[str, Any] = field(default_factory=dict)
    accept: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    tolerance: float = 1e-9
    misconceptions: tuple[Mapping[str, Any], ...] = ()
    otherwise: str = ""
    hints: tuple[str, ...] = ()
    witness: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Observation:
    """What came out when a check ran: its standard output, or what ended it.

    Parameters
    ----------
    text : str
        Standard output.
    error : str or None
        The class of the exception that left the cell.
    error_text : str
        What that exception says.
    asleep : bool
        Whether the process was waiting for the clock when its time was over.
    waiting : bool
        Whether it was waiting for anything, and computed nothing.
    ended : str
        What ended the Python process: `timeout`, `died`, `memory`, `output` or `files`;
        else empty.
    said : Mapping
        Fact → the exceptions in it by name, and what each says; as far as it is known.
    aside : str
        What to say besides, if the check is not passed.
    """

    text: str = ""
    error: str | None = None
    error_text: str = ""
    asleep: bool = False
    waiting: bool = False
    ended: Ended = ""
    said: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    aside: str = ""

    @property
    def idleness(self) -> str:
        """The sentence about a process that did nothing when its time was over, or nothing."""
        if not self.timed_out:
            return ""
        return ASLEEP if self.asleep else WAITING if self.waiting else ""

    @property
    def timed_out(self) -> bool:
        """Whether the time allowed was over."""
        return self.ended == "timeout"

    @property
    def died(self) -> bool:
        """Whether the process ended otherwise than by the clock."""
        return self.ended not in ("", "timeout")


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """The status of one check, the facts that were wrong, and the sentence to read."""

    status: Status
    message: str = ""
    wrong: tuple[str, ...] = ()


def read_facts(text: str) -> dict[str, Any] | None:
    """The JSON object in the last line that a check printed, or None if there is none.

    What an answer itself prints stands before it, and does no harm; nor does what its threads print
    meanwhile, into that line or below it.
    """
    for line in reversed(text.splitlines()):
        try:
            facts, _ = json.JSONDecoder().raw_decode(line, line.index("{"))
        except (ValueError, RecursionError):
            continue
        return facts if _is_shallow(facts) else None
    return None


def _is_shallow(facts: Any) -> bool:
    """Whether facts are nested no deeper than a check prints them; else reading them could fail."""
    layer = [facts]
    for _ in range(DEEPEST):
        layer = [
            part
            for value in layer
            if isinstance(value, dict | list)
            for part in (value.values() if isinstance(value, dict) else value)
        ]
    return not layer


def same(actual: Any, expected: Any, tolerance: float = 1e-9) -> bool:
    """Whether two JSON values are equal: numbers nearly, and never a bool and a number."""
    if isinstance(actual, bool) or isinstance(expected, bool):
        return actual is expected
    if isinstance(actual, int | float) and isinstance(expected, int | float):
        return _close(actual, expected, tolerance)
    if isinstance(actual, list) and isinstance(expected, list):
        return len(actual) == len(expected) and all(
            same(a, e, tolerance) for a, e in zip(actual, expected, strict=True)
        )
    if isinstance(actual, dict) and isinstance(expected, dict):
        return actual.keys() == expected.keys() and all(
            same(actual[key], expected[key], tolerance) for key in expected
        )
    return type(actual) is type(expected) and bool(actual == expected)


def _close(actual: float, expected: float, tolerance: float) -> bool:
    if actual == expected:
        return True
    try:
        if math.isnan(actual) or math.isnan(expected):
            return math.isnan(actual) and math.isnan(expected)
        return math.isclose(actual, expected, rel_tol=tolerance, abs_tol=tolerance)
    except OverflowError:
        return False


def judge(
    spec: CheckSpec, seen: Observation, *, rules: Mapping[str, Accept] | None = None
) -> Judgement:
    """Decide what one check's result means, and what to tell the learner.

    Parameters
    ----------
    spec : CheckSpec
        The check.
    seen : Observation
        What came out of the kernel.
    rules : Mapping, optional
        Name → rule, for `spec.accept`.

    Returns
    -------
    Judgement
        The status, and for everything but a pass one sentence.
    """
    found = _judged(spec, seen, rules or {})
    if seen.aside and found.status in ("failed", "error", "timeout"):
        return replace(found, message=f"{found.message} {seen.aside}")
    return found


def _judged(spec: CheckSpec, seen: Observation, rules: Mapping[str, Accept]) -> Judgement:
    if seen.timed_out:
        return Judgement(status="timeout", message=_sentence(spec, seen, {}, ()))
    if seen.died:
        return Judgement(status="error", message=_sentence(spec, seen, {}, ()))
    if seen.error == STUB_ERROR:
        return Judgement(status="not_attempted", message=NOT_ATTEMPTED)
    if seen.error is not None:
        return Judgement(status="failed", message=_sentence(spec, seen, {}, ()))
    facts = read_facts(seen.text)
    if facts is None:
        return Judgement(status="failed", message=SILENT)
    if _tells_of_a_stub(facts):
        return Judgement(status="not_attempted", message=NOT_ATTEMPTED)
    wrong = _wrong_facts(spec, facts, rules)
    if not wrong:
        return Judgement(status="passed")
    return Judgement(status="failed", message=_sentence(spec, seen, facts, wrong), wrong=wrong)


def _tells_of_a_stub(facts: Mapping[str, Any]) -> bool:
    """Whether somewhere among the facts stands the exception that a stub raises."""
    left: list[Any] = [facts]
    while left:
        value = left.pop()
        if isinstance(value, dict) and value.get("error") == STUB_ERROR:
            return True
        if isinstance(value, dict | list):
            left += value.values() if isinstance(value, dict) else value
    return False


def _wrong_facts(
    spec: CheckSpec, facts: Mapping[str, Any], rules: Mapping[str, Accept]
) -> tuple[str, ...]:
    """Names of the facts that are not as they should be, unexpected ones too.

    In the order in which they were printed: a learner's copy keeps what is expected sorted by
    name, and is to name the same fact first as the grader.
    """
    missing = object()
    known = [name for name in facts if name in spec.expected]
    left = sorted(spec.expected.keys() - facts.keys())
    wrong = [
        name for name in (*known, *left) if not _right(spec, name, facts.get(name, missing), rules)
    ]
    return (*wrong, *(name for name in facts if name not in spec.expected))


def _right(spec: CheckSpec, name: str, value: Any, rules: Mapping[str, Accept]) -> bool:
    if name not in spec.accept:
        return same(value, spec.expected[name], spec.tolerance)
    rule = spec.accept[name]
    return rules[rule["rule"]](value, rule)


def _sentence(
    spec: CheckSpec, seen: Observation, facts: Mapping[str, Any], wrong: Sequence[str]
) -> str:
    """The first misconception that fits; else the check's own general sentence."""
    if seen.idleness:
        return seen.idleness
    slip = _slip_among(spec, seen, facts, wrong)
    if slip is not None:
        for entry in spec.misconceptions:
            told = slip[0] in json.dumps(entry.get("when", {}))
            told |= "error" in entry.get("kinds", {}).values()
            if told and _fits(entry, seen, facts, wrong, spec.tolerance):
                return sentence_of(entry)
        if slip[0] == "NameError":
            return _unknown(spec, slip[1])
        name = slip[0] if spec.hidden else _told(*slip)
        if slip[0] in SLIPS:
            return f"{name} came, which is not asked for: {WHO} {spec.otherwise}".strip()
    fitting = [e for e in spec.misconceptions if _fits(e, seen, facts, wrong, spec.tolerance)]
    for entry in fitting:
        if "asks" in entry:
            return f"{entry['asks']} {_compared(spec, seen, facts, entry['wrong'])}".strip()
        if slip is None and _proves(entry, spec, facts) and not _names_a_cause(spec, entry):
            return str(entry["say"])
    if seen.ended:
        return ENDED[seen.ended]
    if seen.error == "NameError":
        return _unknown(spec, seen.error_text)
    if seen.error is not None:
        name = _known(seen.error) if spec.hidden else _told(seen.error, seen.error_text)
        return f"The check ended in {name}: {WHO} {spec.otherwise}".strip()
    general = spec.otherwise or "The answer gives another result than it should."
    if slip is not None:
        wrong = [fact for fact in wrong if _slip(facts.get(fact)) is not None]
    sentence = f"{general} {_compared(spec, seen, facts, wrong)}".strip()
    if slip is not None:
        return sentence if f"{AN_EXCEPTION} came" in sentence else f"{sentence} {name} came."
    guesses = (e for e in fitting if _proves(e, spec, facts) and _names_a_cause(spec, e))
    guess = next(guesses, None)
    return sentence if guess is None else f"{sentence} {PERHAPS} {guess['say']}"


def _slip_among(
    spec: CheckSpec, seen: Observation, facts: Mapping[str, Any], wrong: Sequence[str]
) -> tuple[str, str] | None:
    """A slip among the wrong facts, and what it says; None if there is none, or it is asked for.

    What else is wrong then follows from it: nothing that a misconception speaks of is proven.
    """
    asked = json.dumps(dict(spec.expected))
    told = ((_slip(facts.get(name)), seen.said.get(name, {})) for name in wrong)
    return next(
        (
            (slip[0], slip[1] or said.get(slip[0], ""))
            for slip, said in told
            if slip is not None and slip[0] not in asked
        ),
        None,
    )


def _slip(fact: Any) -> tuple[str, str] | None:
    """The slip that a fact is, or that is first among its parts, and what it says."""
    if isinstance(fact, dict):
        if isinstance(fact.get("error"), str) and fact["error"] in (*SLIPS, *BREAKS):
            return fact["error"], str(fact.get("says", ""))
        fact = list(fact.values())
    if isinstance(fact, list):
        return next((slip for part in fact if (slip := _slip(part)) is not None), None)
    return None


def _unknown(spec: CheckSpec, text: str) -> str:
    """Whether it is the answer itself that is not defined, or something that it uses."""
    match = re.search(r"name '(\w+)' is not defined", text)
    if match and f"answer-{match[1].replace('_', '-')}" in spec.answers:
        return UNDEFINED.format(name=match[1])
    return UNKNOWN_NAME


def _compared(
    spec: CheckSpec, seen: Observation, facts: Mapping[str, Any], wrong: Sequence[str]
) -> str:
    """What came and what should have come: of a hidden check no more than the kind of thing."""
    named = [name for name in wrong if name in spec.expected]
    if not named:
        return ""
    name = named[0]
    wanted = _kind(spec.expected[name])
    came = _kind(facts[name]) if name in facts else "nothing at all"
    if wanted != came:
        if came == AN_EXCEPTION and not spec.hidden:
            fact = facts[name]
            says = fact.get("says") or seen.said.get(name, {}).get(fact["error"], "")
            came_so = _told(fact["error"], str(says))
            return f"{wanted[0].upper()}{wanted[1:]} was expected, and {came} came: {came_so}."
        return f"{wanted[0].upper()}{wanted[1:]} was expected, and {came} came."
    if spec.hidden or spec.accept:
        return ""
    # Keys sorted: what is expected stands in an exercise and in its solution in different orders.
    both = (spec.expected[name], facts[name])
    texts = [json.dumps(value, ensure_ascii=False, sort_keys=True) for value in both]
    if max(map(len, texts)) > SHORT:
        return f"Look at {name!r} in what the check printed."
    return f"At {name!r} {texts[0]} was expected, and {texts[1]} came."


def _kind(value: Any) -> str:
    """What sort of thing a fact is; an exception's own name may be what a check keeps to itself."""
    if isinstance(value, dict) and isinstance(value.get("error"), str):
        # What more keys has is a mapping in which somebody wrote something down.
        return AN_EXCEPTION if value.keys() <= {"error", "says"} else KINDS[dict]
    if isinstance(value, dict) and value.keys() == {"set"}:
        return "a set"
    if isinstance(value, str) and NO_PLAIN_FORM.fullmatch(value):
        return "something else"
    return KINDS.get(type(value), "something else")


def _told(error: str, says: str) -> str:
    """The exception's name, and what it says if that is short."""
    text = says.strip()
    return f"{error} ({text})" if text and len(text) <= SHORT else error


def _known(error: str) -> str:
    """The name of an exception of Python's own; a made-up name could carry hidden inputs out."""
    kind = getattr(builtins, error, None)
    return error if isinstance(kind, type) and issubclass(kind, BaseException) else "an exception"


def _proves(entry: Mapping[str, Any], spec: CheckSpec, facts: Mapping[str, Any]) -> bool:
    """Whether wrong facts are of the kind that they should be, so that a guess can be right.

    An entry that says what it wants to see knows what it speaks of. One that fits whatever is wrong
    speaks of wrong numbers, lists or texts, and not of an exception, or of a text for a list. One
    that does both does not speak of an exception in what is wrong.
    """
    spoken_of = entry.get("when", {}).keys() | entry.get("kinds", {}).keys()
    for name in set(entry.get("wrong", ())) - spoken_of:
        wanted = _kind(spec.expected.get(name))
        if spoken_of and (name not in facts or _kind(facts[name]) != AN_EXCEPTION):
            continue
        if name not in facts or wanted in (AN_EXCEPTION, KINDS[type(None)]):
            continue
        if name in spec.expected and _kind(facts[name]) != wanted:
            return False
    return True


def sentence_of(entry: Mapping[str, Any]) -> str:
    """The one sentence of a misconception: what it says, or what it tells is asked."""
    return str(entry.get("say", entry.get("asks", "")))


def is_guess(spec: CheckSpec, entry: Mapping[str, Any]) -> bool:
    """Whether a misconception of a hidden check names a cause that its facts do not single out.

    That a number, a list or a text is wrong has many causes. It has one where there are but two
    values (a truth value), where nothing should have come (an empty list), where another kind of
    thing came, or a fact that no right answer gives.

    Parameters
    ----------
    spec : CheckSpec
        The check.
    entry : Mapping
        One of its misconceptions.
    """
    return spec.hidden and _names_a_cause(spec, entry)


def _names_a_cause(spec: CheckSpec, entry: Mapping[str, Any]) -> bool:
    """Whether a misconception of any check names a cause that its facts do not single out."""
    if "asks" in entry or any(entry.get(name) for name in SINGLING_OUT):
        return False
    nothing = object()
    kinds = entry.get("kinds", {})
    if any(
        KIND_WORDS.get(kind) != _kind(spec.expected.get(n, nothing)) for n, kind in kinds.items()
    ):
        return False
    wanted = [spec.expected.get(name, nothing) for name in entry.get("wrong", ())]
    return not any(value is nothing or isinstance(value, bool) or value == [] for value in wanted)


def _fits(
    entry: Mapping[str, Any],
    seen: Observation,
    facts: Mapping[str, Any],
    wrong: Sequence[str],
    tolerance: float,
) -> bool:
    """Whether all conditions of a misconception hold (docs/grading.md lists them)."""
    if entry.get("timeout", False) != seen.timed_out or entry.get("died", False) != seen.died:
        return False
    if entry.get("error") != seen.error:
        return False
    if not set(entry.get("wrong", ())) <= set(wrong):
        return False
    if set(entry.get("right", ())) & set(wrong):
        return False
    missing = object()
    if any(
        name not in facts or KIND_WORDS.get(kind) != _kind(facts[name])
        for name, kind in entry.get("kinds", {}).items()
    ):
        return False
    return all(
        same(facts.get(name, missing), value, tolerance)
        for name, value in entry.get("when", {}).items()
    )
