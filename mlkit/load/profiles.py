"""Read `profiles`, and choose one: other values for the same pipeline, by one name."""

from __future__ import annotations

import os

from mlkit.core.pipeline import Pipeline, Profile
from mlkit.core.pipeline_keys import keys_of
from mlkit.errors import ConfigurationError, PipelineError
from mlkit.load.contract import holds_variable
from mlkit.load.lists import check_lists
from mlkit.load.merging import Given, check_given
from mlkit.load.section import Section, did_you_mean

__all__ = ["PROFILE_VARIABLE", "check_profile", "chosen_profile", "profile_of", "read_profiles"]

PROFILE_VARIABLE = "MLKIT_PROFILE"


def chosen_profile(named: str | None) -> str | None:
    """The profile that was asked for: by name (an empty one: none), or by `MLKIT_PROFILE`."""
    return (os.environ.get(PROFILE_VARIABLE) if named is None else named) or None


def read_profiles(top: Section, name: str | None) -> tuple[dict[str, Section], Section | None]:
    """Read all profiles, and give the chosen one.

    Parameters
    ----------
    top : Section
        The pipeline.
    name : str, optional
        The profile that was asked for.
    """
    inner = top.section("profiles", "profiles")
    found: dict[str, Section] = {}
    for key, entry in ({} if inner is None else inner.entries).items():
        found[key] = Section(entry, top.file, f"profile '{key}'")
        found[key].allow(keys_of("profile"))
        defaults = found[key].section("defaults")
        if defaults is not None:
            defaults.allow(keys_of("defaults"))
    if name is not None and name not in found:
        remedy = did_you_mean(name, found) or (
            "The file has no profiles; leave --profile and MLKIT_PROFILE out"
        )
        line = top.line_of("profiles")
        top.fail(f"there is no profile '{name}'", line, remedy, code="E213")
    return found, None if name is None else found[name]


def profile_of(name: str | None, section: Section | None) -> Profile | None:
    """Give the chosen profile with its parameters."""
    if name is None or section is None:
        return None
    inner = section.section("parameters")
    entries = {} if inner is None else inner.entries
    return Profile(
        name=name,
        parameters={key: entry.plain() for key, entry in entries.items()},
        lines={key: entry.line for key, entry in entries.items()},
    )


def check_profile(pipeline: Pipeline, name: str, section: Section) -> None:
    """Check a profile's parameters: known, of the type that notebooks declare, fit to map over."""
    inner = section.section("parameters")
    for key, entry in ({} if inner is None else inner.entries).items():
        given = Given(name=key, value=entry.plain(), origin=f"profile '{name}'")
        try:
            check_given(pipeline, given)
            if not holds_variable(given.value):
                check_lists(pipeline, key, given.value, given.origin)
        except ConfigurationError as error:
            raise PipelineError(
                error.message, section.file, entry.line, error.remedy, code=error.code
            ) from None
