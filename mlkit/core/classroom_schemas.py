"""JSON Schemas of what the commands about exercises and classes print with `--json`."""

from __future__ import annotations

from collections.abc import Mapping

from mlkit.core.schema_shapes import (
    BOOLEAN,
    COUNT,
    NUMBER,
    TEXT,
    TEXTS,
    Schema,
    by_name,
    list_of,
    object_of,
    one_of,
    or_null,
)

__all__ = ["CLASSROOM_COMMANDS"]

ISOLATION = one_of(["sandboxed", "limited"])
GRADED = one_of(["graded", "not_attempted", "ungradable"])
CHECKED = one_of(["passed", "failed", "not_attempted", "error", "timeout"])

_HANDED_OUT: dict[str, Schema] = {
    "to": TEXT,
    "form": one_of(["folder", "zip", "git"]),
    "new": TEXTS,
    "changed": TEXTS,
    "exercises": TEXTS,
}
_PROGRESS = object_of(
    {
        "folder": TEXT,
        "hidden_checks": BOOLEAN,
        "exercises": list_of(
            object_of(
                {
                    "name": TEXT,
                    "title": TEXT,
                    "status": one_of(
                        ["solved", "attempted", "not_attempted", "ungradable", "missing"]
                    ),
                    "score": NUMBER,
                    "max": NUMBER,
                }
            )
        ),
    }
)
_OWN_CHECK = object_of(
    {"id": TEXT, "title": TEXT, "status": CHECKED, "message": TEXT, "hints": TEXTS}
)
_CHECKED = object_of(
    {
        "folder": TEXT,
        "passed": BOOLEAN,
        "exercises": list_of(
            object_of(
                {
                    "name": TEXT,
                    "path": TEXT,
                    "status": GRADED,
                    "flags": TEXTS,
                    "checks": list_of(_OWN_CHECK),
                }
            )
        ),
    }
)
_PROBLEM = object_of(
    {"message": TEXT, "file": or_null(TEXT), "line": or_null(COUNT), "remedy": or_null(TEXT)}
)
_TRIED_ANSWER = object_of(
    {
        "kind": TEXT,
        "name": TEXT,
        "score": NUMBER,
        "max": NUMBER,
        "ok": BOOLEAN,
        "messages": by_name(TEXT),
    }
)
_TRIED = object_of(
    {
        "solutions": TEXT,
        "isolation": or_null(ISOLATION),
        "ok": BOOLEAN,
        "exercises": list_of(
            object_of(
                {
                    "name": TEXT,
                    "title": TEXT,
                    "points": NUMBER,
                    "ok": BOOLEAN,
                    "tried": BOOLEAN,
                    "updated": BOOLEAN,
                    "answers": list_of(_TRIED_ANSWER),
                    "problems": list_of(_PROBLEM),
                    "notes": TEXTS,
                }
            )
        ),
    }
)
_GRADES = object_of(
    {
        "isolation": ISOLATION,
        "solutions": TEXT,
        "submissions": list_of(
            object_of(
                {
                    "path": TEXT,
                    "exercise": TEXT,
                    "student": TEXT,
                    "status": GRADED,
                    "score": NUMBER,
                    "max": NUMBER,
                    "flags": TEXTS,
                    "checks": list_of(
                        object_of(
                            {
                                "id": TEXT,
                                "points": NUMBER,
                                "max": NUMBER,
                                "status": CHECKED,
                                "message": TEXT,
                            }
                        )
                    ),
                }
            )
        ),
    }
)

_PIECE: dict[str, Schema] = {
    "student": TEXT,
    "students": TEXTS,
    "exercise": TEXT,
    "source": TEXT,
    "root": TEXT,
    "layout": TEXT,
    "digest": TEXT,
    "off": NUMBER,
    "order": {"type": "integer"},
    "participant": TEXT,
    "time": or_null(TEXT),
    "due": or_null(TEXT),
    "late": BOOLEAN,
    "late_s": or_null(NUMBER),
}
_COLLECTED = object_of(
    {
        "version": COUNT,
        "which": one_of(["last", "first", "on-time", "best"]),
        "late": TEXT,
        "has_roster": BOOLEAN,
        "roster": list_of(
            object_of(
                {
                    "id": TEXT,
                    "name": TEXT,
                    "email": TEXT,
                    "section": TEXT,
                    "group": TEXT,
                    "keys": by_name(TEXT),
                }
            )
        ),
        "exercises": TEXTS,
        "layouts": by_name(COUNT),
        "submissions": list_of(object_of({**_PIECE, "file": TEXT})),
        "superseded": list_of(object_of({**_PIECE, "why": TEXT})),
        "not_understood": list_of(
            object_of({"root": TEXT, "source": TEXT, "fact": TEXT, "remedy": TEXT})
        ),
        "passed_over": list_of(object_of({"root": TEXT, "source": TEXT, "why": TEXT})),
        "missing": list_of(object_of({"student": TEXT, "exercise": TEXT})),
        "same_files": list_of(object_of({"digest": TEXT, "files": TEXTS})),
        "notes": TEXTS,
    }
)
_MARK = object_of(
    {
        "status": one_of([*GRADED["enum"], "missing"]),
        "score": NUMBER,
        "max": NUMBER,
        "off": NUMBER,
    }
)
_RETURNED = object_of(
    {
        "version": COUNT,
        "folder": TEXT,
        "students": list_of(
            object_of(
                {
                    "student": TEXT,
                    "score": NUMBER,
                    "max": NUMBER,
                    "page": TEXT,
                    "zip": TEXT,
                    "exercises": by_name(_MARK),
                }
            )
        ),
        "files": TEXTS,
        "notes": TEXTS,
    }
)
_TELLING: dict[str, Schema] = {
    "difficulty": or_null(NUMBER),
    "discrimination": or_null(NUMBER),
    "says": TEXT,
}
_CHECK_STATISTICS = object_of(
    {
        "id": TEXT,
        "title": TEXT,
        "hidden": BOOLEAN,
        "submissions": COUNT,
        **dict.fromkeys(CHECKED["enum"], COUNT),
        **_TELLING,
        "sentences": list_of(object_of({"kind": TEXT, "says": TEXT, "count": COUNT})),
    }
)
_STATISTICS = object_of(
    {
        "students": COUNT,
        "exercises": list_of(
            object_of(
                {
                    "name": TEXT,
                    "title": TEXT,
                    "submissions": COUNT,
                    "graded": COUNT,
                    "not_attempted": COUNT,
                    "ungradable": COUNT,
                    "missing": COUNT,
                    "full": COUNT,
                    **_TELLING,
                    "pairs": COUNT,
                    "checks": list_of(_CHECK_STATISTICS),
                }
            )
        ),
        "alike": object_of(
            {
                "answers": list_of(
                    object_of(
                        {
                            "exercise": TEXT,
                            "answer": TEXT,
                            "students": TEXTS,
                            "of": COUNT,
                            "to_the_letter": BOOLEAN,
                            "parts": COUNT,
                            "excerpt": TEXT,
                        }
                    )
                ),
                "pairs": list_of(object_of({"students": TEXTS, "answers": TEXTS})),
            }
        ),
        "regrades": list_of(
            object_of(
                {
                    "time": TEXT,
                    "student": TEXT,
                    "exercise": TEXT,
                    "before": NUMBER,
                    "after": NUMBER,
                    "checks": by_name(list_of(NUMBER)),
                }
            )
        ),
        "notes": TEXTS,
    }
)

CLASSROOM_COMMANDS: Mapping[str, tuple[str, tuple[Schema, ...]]] = {
    "learn": (
        "The files that were written; `kept` are those that their owner has changed.",
        (object_of({**_HANDED_OUT, "kept": TEXTS}),),
    ),
    "check": ("The checks of each notebook; whether all have passed.", (_CHECKED,)),
    "exercises": (
        "How far one is with each exercise; without hidden checks `solved` speaks of visible ones.",
        (_PROGRESS,),
    ),
    "exercise new": (
        "The files of the new exercise.",
        (object_of({"name": TEXT, "written": TEXTS}),),
    ),
    "exercise check": (
        "What each exercise was tried on, and what is wrong with it.",
        (_TRIED,),
    ),
    "exercise release": (
        "What was handed out: the files that are new and those that have changed.",
        (object_of({**_HANDED_OUT, "opened": TEXTS}),),
    ),
    "grade": ("The grades, in the order in which the submissions were found.", (_GRADES,)),
    "class collect": (
        "What was handed in, as collection.json holds it; times are ISO 8601.",
        (_COLLECTED,),
    ),
    "class return": ("The marks, and the files that were written.", (_RETURNED,)),
    "class written": (
        "The questions that are answered in words, their sheets, and where marks were taken to.",
        (
            object_of(
                {
                    "to": TEXT,
                    "manual": or_null(TEXT),
                    "questions": list_of(
                        object_of(
                            {
                                "exercise": TEXT,
                                "title": TEXT,
                                "max": NUMBER,
                                "answers": COUNT,
                                "marked": COUNT,
                                "page": TEXT,
                                "sheet": TEXT,
                            }
                        )
                    ),
                }
            ),
        ),
    ),
    "class quiz": (
        "The questions that were written, and their files.",
        (
            object_of(
                {
                    "to": TEXT,
                    "form": one_of(["notebooks", "moodle", "qti", "markdown"]),
                    "questions": COUNT,
                    "files": TEXTS,
                }
            ),
        ),
    ),
    "class stats": (
        "How the class did: shares from 0 to 1 and correlations from -1 to 1, null where too few "
        "have handed in.",
        (_STATISTICS,),
    ),
}
"""Each command with what is to be known of its document, and the shapes that it may have."""
