"""What QTI 1.2 asks of a test, as far as questions with choices go, and how it is marked.

From the specification's information model and its DTD (IMS Question & Test Interoperability, ASI
XML binding 1.2): which elements hold which, in which order; which attributes they need; and what a
response earns, by its rules of response processing. It knows nothing of the library that writes
the file.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Collection, Iterator

__all__ = ["faults", "marked"]

SPACE = "{http://www.imsglobal.org/xsd/ims_qtiasiv1p2}"
_VARIABLES = "(not |and |or |unanswered |other |varequal )"
HOLDS = {
    "questestinterop": "(qticomment )?(objectbank |assessment |(section |item )+)",
    "assessment": "(qtimetadata )*(rubric )*(selection_ordering )?(section )+",
    "section": "(qtimetadata )*(rubric )*(selection_ordering )?(item |section )*",
    "item": "(itemmetadata )?(rubric )*(presentation )?(resprocessing )*(itemfeedback )*",
    "itemmetadata": "(qtimetadata )*",
    "qtimetadata": "(vocabulary )?(qtimetadatafield )+",
    "qtimetadatafield": "fieldlabel fieldentry ",
    "fieldlabel": "",
    "fieldentry": "",
    "presentation": "(flow |(material |response_lid )+)",
    "material": "(mattext )+",
    "mattext": "",
    "response_lid": "(material )?render_choice (material )?",
    "render_choice": "(material |response_label )*",
    "response_label": "(material )*",
    "resprocessing": "outcomes (respcondition )+",
    "outcomes": "(decvar )+",
    "decvar": "",
    "respcondition": "conditionvar (setvar )*(displayfeedback )*",
    "conditionvar": f"{_VARIABLES}+",
    "and": f"{_VARIABLES}+",
    "or": f"{_VARIABLES}+",
    "not": _VARIABLES,
    "other": "",
    "varequal": "",
    "setvar": "",
    "displayfeedback": "",
    "itemfeedback": "(flow_mat |material )+",
    "flow_mat": "(flow_mat |material )+",
}
"""Element → its children in order, as a pattern over their names."""
NEEDS = {
    "assessment": {"ident": ".+", "title": ".+"},
    "section": {"ident": ".+"},
    "item": {"ident": ".+"},
    "mattext": {"texttype": "text/(plain|html)"},
    "response_lid": {"ident": ".+", "rcardinality": "Single|Multiple|Ordered"},
    "response_label": {"ident": ".+"},
    "decvar": {"varname": ".+", "vartype": "Integer|Decimal|Scientific", "maxvalue": r"\d+"},
    "respcondition": {"continue": "Yes|No"},
    "varequal": {"respident": ".+"},
    "setvar": {"varname": ".+", "action": "Set|Add|Subtract|Multiply|Divide"},
    "displayfeedback": {"feedbacktype": "Response|Solution|Hint", "linkrefid": ".+"},
    "itemfeedback": {"ident": ".+"},
}
"""Element → attributes that it must have, each with the values allowed."""
_TEXTS = {"fieldlabel", "fieldentry", "mattext", "varequal", "setvar"}


def faults(root: ET.Element) -> list[str]:
    """Everything in a file that the specification does not allow."""
    found = [fault for element in root.iter() for fault in _of_element(element)]
    items = [element for element in root.iter() if _name(element) == "item"]
    idents = Counter(item.get("ident") for item in items)
    found += [f"two items are called {ident}" for ident, times in idents.items() if times > 1]
    return found + [fault for item in items for fault in _of_item(item)]


def _name(element: ET.Element) -> str:
    return element.tag.removeprefix(SPACE)


def _of_element(element: ET.Element) -> Iterator[str]:
    name = _name(element)
    if name not in HOLDS:
        yield f"<{name}> is no element of it"
        return
    children = "".join(f"{_name(child)} " for child in element)
    if not re.fullmatch(HOLDS[name], children):
        yield f"<{name}> holds {children or 'nothing'}"
    texts = [element.text, *(child.tail for child in element)]
    if name not in _TEXTS and any(text and text.strip() for text in texts):
        yield f"<{name}> holds text"
    for attribute, allowed in NEEDS.get(name, {}).items():
        if not re.fullmatch(allowed, element.get(attribute, "")):
            yield f"<{name}> has {attribute}={element.get(attribute)!r}"


def _of_item(item: ET.Element) -> Iterator[str]:
    """What is named is there, once; what is there is named."""
    here = item.get("ident")
    for kind in ("response_lid", "response_label", "itemfeedback"):
        idents = Counter(one.get("ident") for one in item.iter(f"{SPACE}{kind}"))
        yield from (f"{here}: two of <{kind}> {ident}" for ident, n in idents.items() if n > 1)
    labels = {label.get("ident") for label in item.iter(f"{SPACE}response_label")}
    responses = {one.get("ident") for one in item.iter(f"{SPACE}response_lid")}
    for equal in item.iter(f"{SPACE}varequal"):
        if equal.get("respident") not in responses:
            yield f"{here}: no response {equal.get('respident')}"
        if equal.text not in labels:
            yield f"{here}: no choice {equal.text}"
    declared = {variable.get("varname") for variable in item.iter(f"{SPACE}decvar")}
    used = {setting.get("varname") for setting in item.iter(f"{SPACE}setvar")}
    if not used <= declared:
        yield f"{here}: {used - declared} is not declared"
    told = {one.get("ident") for one in item.iter(f"{SPACE}itemfeedback")}
    linked = {one.get("linkrefid") for one in item.iter(f"{SPACE}displayfeedback")}
    if told != linked:
        yield f"{here}: feedback {told ^ linked} is linked or there, not both"


def marked(item: ET.Element, chosen: Collection[str]) -> tuple[float, list[str]]:
    """Play the rules for a response: what it earns, and the feedback shown, by their idents."""
    score, shown = 0.0, []
    for rule in item.iter(f"{SPACE}respcondition"):
        variables = rule.find(f"{SPACE}conditionvar")
        assert variables is not None
        if not all(_holds(one, chosen) for one in variables):
            continue
        for setting in rule.iter(f"{SPACE}setvar"):
            assert setting.get("action") == "Set"
            score = float(setting.text or "")
        shown += [one.get("linkrefid", "") for one in rule.iter(f"{SPACE}displayfeedback")]
        if rule.get("continue") == "No":
            break
    return score, shown


def _holds(condition: ET.Element, chosen: Collection[str]) -> bool:
    parts = [_holds(part, chosen) for part in condition]
    match _name(condition):
        case "varequal":
            return condition.text in chosen
        case "not":
            return not parts[0]
        case "and":
            return all(parts)
        case "or":
            return any(parts)
        case "other":
            return True
        case name:
            raise AssertionError(f"a rule with <{name}>")
