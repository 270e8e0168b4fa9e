"""What is wrong with the settings, in sentences that name the variable, what it is and what it must be. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from annotated_types import Ge, Gt, Le
from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo

PREFIX = "AGAIN_"
SEE = "See .env.example."

RENAMED: Mapping[str, str] = {
    "AGAIN_CATCH_UP_CAP": "AGAIN_CATCH_UP_LIMIT",
    "AGAIN_GAP_SECONDS": "AGAIN_SILENCE_BEFORE_HOLD_SECONDS",
    "AGAIN_LADDER_SECONDS": "AGAIN_LOOKUP_BACKOFF_SECONDS",
    "AGAIN_SETTLE_SECONDS": "AGAIN_WRITE_BACK_SECONDS",
    "AGAIN_WINDOW": "AGAIN_MAX_IN_FLIGHT",
}
"""Names of earlier versions. An environment that still has one is told the new name; the old one is never read."""


def unknown_variables(environ: Mapping[str, str], known: Iterable[str]) -> Iterator[str]:
    """Yield every variable that looks like a setting and is none; a misspelt limit would otherwise not apply."""
    known = list(known)
    for variable in sorted(environ):
        if not variable.startswith(PREFIX) or variable in known or environ[variable] == "":
            continue
        if variable in RENAMED:
            yield f"{variable} is now called {RENAMED[variable]}. {SEE}"
            continue
        near = get_close_matches(variable, known, n=1)
        meant = f"; did you mean {near[0]}?" if near else "."
        yield f"{variable} is no setting of Again{meant} {SEE}"


def sentences(error: ValidationError, given: Mapping[str, str], fields: Mapping[str, FieldInfo]) -> Iterator[str]:
    """Yield each problem once."""
    for problem in error.errors(include_url=False, include_input=False):
        reason = str(problem["msg"]).removeprefix("Value error, ")
        if not problem["loc"]:
            yield reason
            continue
        name = str(problem["loc"][0])
        for each in reason.splitlines():
            yield _sentence(name, each, given.get(name), fields[name])


def _sentence(name: str, reason: str, value: str | None, field: FieldInfo) -> str:
    expected = _expected(field)
    if expected is None or value is None or SecretStr in _kinds(field):
        return f"{PREFIX}{name.upper()}: {reason}. {SEE}"
    return f"{PREFIX}{name.upper()} is {value:.40} but must be {expected}. {SEE}"


def _expected(field: FieldInfo) -> str | None:
    """Describe the numbers that a field takes; None for a field of another kind."""
    kinds = _kinds(field)
    if not kinds & {int, float}:
        return None
    kind = "a whole number" if int in kinds else "a number"
    bounds = {type(each): each for each in field.metadata}
    least, above, most = bounds.get(Ge), bounds.get(Gt), bounds.get(Le)
    low = str(least.ge) if least else f"above {above.gt}" if above else ""
    if most is None:
        return f"{kind}, {low} or more"
    return f"{kind}, {low} to {most.le}" if least else f"{kind} {low}, at most {most.le}"


def _kinds(field: FieldInfo) -> set[Any]:
    return {field.annotation, *getattr(field.annotation, "__args__", ())}
