"""The names in a zip archive, which often does not say in what letters they are written. Pure.

The format knows two: UTF-8, if a flag is set, else those of DOS (code page 437). Programs write
others all the same: the Finder of macOS UTF-8 without the flag, many of Windows the letters of
Windows (1252) or of western DOS (850). One archive comes from one program, so that all of its names
are held against each other: the letters count in which they look most like names.
"""

from __future__ import annotations

import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator, Sequence

__all__ = ["names_in_archive"]

UTF_8_FLAG = 0x800
UNICODE_PATH = 0x7075  # the extra field of Info-ZIP: version, CRC of the other name, name in UTF-8
LETTERS = ("cp437", "cp1252", "cp850")  # where two fit equally the earlier counts
VOWELS = frozenset("aeiouyäöü")


def names_in_archive(entries: Sequence[zipfile.ZipInfo]) -> list[str]:
    """What the entries of an archive are called, in their order."""
    raw = [None if e.flag_bits & UTF_8_FLAG else _raw(e.filename) for e in entries]
    known = [_unicode_path(e, name) or _utf_8(name) for e, name in zip(entries, raw, strict=True)]
    doubtful = [r for r, k in zip(raw, known, strict=True) if r is not None and k is None]
    letters = _letters_of(b"/".join(doubtful))
    return [
        entry.filename if name is None else told or name.decode(letters)
        for entry, name, told in zip(entries, raw, known, strict=True)
    ]


def _raw(filename: str) -> bytes | None:
    """The bytes that zipfile has taken for the letters of DOS."""
    try:
        return filename.encode("cp437")
    except UnicodeError:  # given to us by somebody who has decoded it otherwise
        return None


def _utf_8(name: bytes | None) -> str | None:
    try:
        return name.decode() if name is not None else None
    except UnicodeError:
        return None


def _unicode_path(entry: zipfile.ZipInfo, name: bytes | None) -> str | None:
    """The name that Info-ZIP and 7-Zip keep beside the other one, if it belongs to it."""
    for number, field in _fields(entry.extra):
        if number == UNICODE_PATH and name is not None and field[:1] == b"\x01":
            if field[1:5] != struct.pack("<L", zlib.crc32(name)):
                return None  # the entry was renamed by a program that does not know of the field
            return _utf_8(field[5:]) or None
    return None


def _fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    while len(extra) >= 4:
        number, size = struct.unpack_from("<HH", extra)
        yield number, extra[4 : 4 + size]
        extra = extra[4 + size :]


def _letters_of(names: bytes) -> str:
    """In what letters some bytes look least strange as names; those of the format at worst."""
    texts: dict[str, str] = {}
    for letters in LETTERS:
        try:
            texts[letters] = names.decode(letters)
        except UnicodeError:
            continue
    return min(texts, key=lambda letters: (_strange(texts[letters]), LETTERS.index(letters)))


def _strange(text: str) -> int:
    """How many letters stand where a name has none of them."""
    pairs = zip(f"/{text}", text, strict=False)
    return sum(_is_strange(before, char) for before, char in pairs if not char.isascii())


def _is_strange(before: str, char: str) -> bool:
    if not unicodedata.name(char, "").startswith("LATIN ") or not char.isalpha():
        return True
    if char == "ß":
        return before.lower() not in VOWELS
    return char.isupper() and before.islower()
