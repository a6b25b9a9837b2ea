"""Parameter values as JSON and as text: exact, ordered, and the same on every machine."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

__all__ = ["canonical", "decode", "encode", "label", "plain", "safe_name", "shown"]

_UNSAFE = frozenset('/\\:*?"<>|%\0')
_MAX_NAME_BYTES = 200
_PLAIN = frozenset({str, int, bool, type(None)})
"""What JSON has as it stands: most of all that is written."""


def encode(value: Any) -> Any:
    """Turn a parameter's value into plain JSON from which `decode` makes the same value again.

    Dates, paths and the numbers that JSON lacks become one-key mappings such as
    `{"$date": "2013-01-01"}`; a mapping with such a key itself is wrapped in `$dict`.
    """
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is dict:
        return _encoded(value)
    if isinstance(value, dt.datetime):
        return {"$datetime": value.isoformat()}
    if isinstance(value, dt.date):
        return {"$date": value.isoformat()}
    if isinstance(value, PurePath):
        return {"$path": str(value)}
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": repr(value)}
    if isinstance(value, str):
        return str(value)
    if isinstance(value, list | tuple):
        return [encode(item) for item in value]
    if isinstance(value, Mapping):
        return _encoded(value)
    return value


def _encoded(value: Mapping[Any, Any]) -> dict[str, Any]:
    if all(isinstance(key, str) and not key.startswith("$") for key in value):
        return {str(key): encode(item) for key, item in value.items()}
    return {"$dict": [[encode(key), encode(item)] for key, item in value.items()]}


def decode(value: Any) -> Any:
    """Undo `encode`."""
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((tag, content),) = value.items()
        match tag:
            case "$datetime":
                return dt.datetime.fromisoformat(content)
            case "$date":
                return dt.date.fromisoformat(content)
            case "$path":
                return Path(content)
            case "$float":
                return float(content)
            case "$dict":
                return {decode(key): decode(item) for key, item in content}
    return {key: decode(item) for key, item in value.items()}


def plain(value: Any) -> Any:
    """Turn a value into the plain JSON that commands print: for reading, not for taking it back.

    `nan`, `inf` and `-inf` become the texts `"nan"`, `"inf"` and `"-inf"`; dates their ISO form;
    paths their text.
    """
    if type(value) in _PLAIN:
        return value
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    if isinstance(value, str | PurePath):
        return str(value)
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {
            key if isinstance(key, str) else label(plain(key)): plain(item)
            for key, item in value.items()
        }
    return value


def shown(value: Any) -> str:
    """Write a value for people: as JSON, with what JSON lacks in its plain form.

    Letters stand as they are. Where a character cannot be shown (half of a surrogate pair, or what
    steers a terminal), all that is not ASCII is escaped.
    """
    if isinstance(value, float | dt.date | PurePath):
        return str(plain(value))
    text = json.dumps(plain(value), ensure_ascii=False, separators=(",", ":"))
    if text.isprintable():
        return text
    return json.dumps(plain(value), ensure_ascii=True, separators=(",", ":"))


def canonical(value: Any) -> str:
    """Write a value as the one text that is equal for equal values of equal type."""
    text = _write(encode(value))
    return _write(_ordered(encode(value))) if '"$dict"' in text else text


_write = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def _ordered(plain: Any) -> Any:
    """Sort the pairs of every `$dict`, in whatever order the mapping was filled."""
    if isinstance(plain, list):
        return [_ordered(item) for item in plain]
    if not isinstance(plain, dict):
        return plain
    inner = {key: _ordered(item) for key, item in plain.items()}
    return {"$dict": sorted(inner["$dict"], key=_write)} if "$dict" in inner else inner


def label(value: Any) -> str:
    """Write a scalar as it stands in `STAGE[VALUE]`."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return value.isoformat() if isinstance(value, dt.date) else repr(value)


def safe_name(text: str) -> str:
    """Make a text safe as a file's name; different texts get different names.

    Characters that some file system refuses become percent codes. A name that would be too long
    is cut and ends in a digest of the whole.
    """
    safe = text
    if not (text.isprintable() and _UNSAFE.isdisjoint(text)):
        safe = "".join(
            "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogatepass"))
            if char in _UNSAFE or not char.isprintable()
            else char
            for char in text
        )
    if safe in ("", ".", ".."):
        safe = "".join(f"%{ord(char):02X}" for char in safe) or "%"
    raw = safe.encode()
    if len(raw) <= _MAX_NAME_BYTES:
        return safe
    from hashlib import sha256  # only for names this long; a command's help needs no OpenSSL

    return raw[:_MAX_NAME_BYTES].decode(errors="ignore") + "~" + sha256(raw).hexdigest()[:16]
