"""Reading and writing a key's behaviours as JSON, for the admin API and the ledger. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from enum import StrEnum
from typing import Any, TypeVar

from worker.sandbox.rules.behaviours import Behaviour, Reply, Shape, Verdict

E = TypeVar("E", bound=StrEnum)

LONGEST_SECONDS = 86_400  # of any wait of a behaviour
DEFAULTS = Behaviour()


class BadBehaviour(ValueError):
    """A behaviour is invalid; the message names what is wrong."""


def written(story: Sequence[Behaviour]) -> list[dict[str, Any]]:
    """Return a story as JSON values, without the defaults."""
    return [_written(step) for step in story]


def read(story: Any) -> tuple[Behaviour, ...]:
    """Return a story from a list of steps, or one step alone; raises BadBehaviour."""
    steps = [story] if isinstance(story, dict) else story
    if not isinstance(steps, list):
        raise BadBehaviour("A behaviour is one JSON object, or a list of them.")
    return tuple(_read(step) for step in steps)


def _written(step: Behaviour) -> dict[str, Any]:
    values = {each.name: getattr(step, each.name) for each in fields(step)}
    kept = {name: value for name, value in values.items() if value != getattr(DEFAULTS, name)}
    if step.mix:
        kept["mix"] = [[weight, _written(each)] for weight, each in step.mix]
    return kept


def _read(step: Any) -> Behaviour:
    if not isinstance(step, dict):
        raise BadBehaviour(f"A step is a JSON object, not {step!r}.")
    unknown = sorted(set(step) - set(_READERS))
    if unknown:
        raise BadBehaviour(f"A step has no {', '.join(unknown)}; it has {', '.join(_READERS)}.")
    return _checked(Behaviour(**{name: _READERS[name](name, value) for name, value in step.items()}))


def _checked(step: Behaviour) -> Behaviour:
    if step.reply is Reply.PLAIN and step.verdict is Verdict.UNTOUCHED:
        raise BadBehaviour("A plain reply needs a verdict to tell: paid, declined or misrecorded.")
    if step.reply is Reply.UNAUTHORIZED and step.verdict is not Verdict.UNTOUCHED:
        raise BadBehaviour("A request answered with 401 was not processed: its verdict is untouched.")
    return step


def _choice(kind: type[E], name: str, value: Any) -> E:
    if value not in list(kind):
        raise BadBehaviour(f"{name} is {value!r}; it can be {', '.join(kind)}.")
    return kind(value)


def _seconds(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= LONGEST_SECONDS:
        raise BadBehaviour(f"{name} is {value!r}; it takes seconds from 0 to {LONGEST_SECONDS}.")
    return float(value)


def _count(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise BadBehaviour(f"{name} is {value!r}; it takes a whole number from 1.")
    return value


def _whole(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadBehaviour(f"{name} is {value!r}; it takes a whole number.")
    return value


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise BadBehaviour(f"{name} is {value!r}; it takes text.")
    return value


def _yes_or_no(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise BadBehaviour(f"{name} is {value!r}; it takes true or false.")
    return value


def _mix(name: str, value: Any) -> tuple[tuple[int, Behaviour], ...]:
    if not isinstance(value, list) or not all(isinstance(each, list) and len(each) == 2 for each in value):
        raise BadBehaviour(f"{name} takes a list of pairs: a weight and a step.")
    return tuple((_count("a weight", weight), _read(step)) for weight, step in value)


_READERS: dict[str, Callable[[str, Any], Any]] = {
    "verdict": lambda name, value: _choice(Verdict, name, value),
    "reply": lambda name, value: _choice(Reply, name, value),
    "times": _count,
    "code": _text,
    "text": _text,
    "shape": lambda name, value: _choice(Shape, name, value),
    "recorded": _yes_or_no,
    "wait_seconds": _seconds,
    "answer_seconds": _seconds,
    "hidden_seconds": _seconds,
    "seed": _whole,
    "mix": _mix,
}
