"""Declines held against the rules as they are now: texts that none knows, and those that would be decided otherwise.

Only read. A decline is final, and so is what it has done: an operator undoes that by acts that exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from worker.database.engine import Sessions
from worker.domain.declines import DeclineRules, alike, classify, impersonal, without_answer_code
from worker.domain.outcomes import DeclineKind
from worker.operations import decline_queries
from worker.operations.decline_queries import EXAMPLES, DeclinedAlike

SHOWN = 20
"""Ids that are listed at most; the count says how many there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnmatchedText:
    """A text that no rule knew, without what may name the buyer; `now` is its kind by the rules as they are."""

    pg: str
    text: str
    declines: int
    looked_up: int  # attempts of it whose outcome is still looked up
    last_at: datetime
    now: DeclineKind
    rule: str | None
    charges: tuple[int, ...]  # the newest, as examples


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidedOtherwise:
    """Declines that the rules would decide otherwise now, what still waits on them, and the acts that there are."""

    pg: str
    text: str
    was: DeclineKind
    now: DeclineKind
    rule: str | None
    declines: int
    last_at: datetime
    charges: tuple[int, ...]
    waiting: int
    given_up: int
    dead_keys: int
    acts: tuple[str, ...]


def unmatched(
    sessions: Sessions, rules: DeclineRules, *, since: datetime, pg: str | None = None
) -> Sequence[UnmatchedText]:
    """Return the texts that no rule knew since an instant, the most frequent first."""
    with sessions() as session:
        declines = decline_queries.declined_alike(session, [DeclineKind.UNMATCHED], since=since, pg=pg)
        open_ones = decline_queries.looked_up(session, since=since, pg=pg)
    found: dict[tuple[str, str], UnmatchedText] = {}
    for each in declines:
        _count(found, rules, each, _said(each))
    for looked_up in open_ones:
        _count(found, rules, looked_up, without_answer_code(looked_up.message))
    return sorted(found.values(), key=lambda each: (-each.declines - each.looked_up, each.pg, each.text))


def decided_otherwise(
    sessions: Sessions, rules: DeclineRules, *, since: datetime, pg: str | None = None
) -> Sequence[DecidedOtherwise]:
    """Return the declines since an instant that the rules would decide otherwise now, the most frequent first."""
    with sessions() as session:
        declines = decline_queries.declined_alike(session, list(DeclineKind), since=since, pg=pg)
    groups: dict[tuple[object, ...], list[DeclinedAlike]] = {}
    for each in declines:
        now, rule = _now(rules, each)
        if now is not each.kind:
            groups.setdefault((each.pg, each.kind, alike(impersonal(_said(each))), now, rule), []).append(each)
    found = [_otherwise(rules, group) for group in groups.values()]
    return sorted(found, key=lambda each: (-each.declines, each.pg, each.text))


def _said(each: DeclinedAlike) -> str:
    return without_answer_code(each.message or "") if each.bare else each.message or ""


def _now(rules: DeclineRules, each: DeclinedAlike) -> tuple[DeclineKind, str | None]:
    """Return the kind of a decline by the rules as they are, and the rule."""
    decision = classify(rules, each.pg, None, _said(each))
    now = decision.kind_once_quiet
    if each.bare and now is DeclineKind.TRANSIENT and decision.supposed is None:
        now = DeclineKind.UNMATCHED  # "try later" of what PortOne has no record of is no decline at all
    return now, None if decision.rule is None else decision.rule.place


def _otherwise(rules: DeclineRules, group: Sequence[DeclinedAlike]) -> DecidedOtherwise:
    first = group[0]
    now, rule = _now(rules, first)
    waiting, given_up, dead_keys = (
        list(dict.fromkeys(each_id for each in group for each_id in getattr(each, name)))
        for name in ("waiting", "given_up", "dead_keys")
    )
    return DecidedOtherwise(
        pg=first.pg,
        text=impersonal(_said(first)),
        was=first.kind,
        now=now,
        rule=rule,
        declines=sum(each.declines for each in group),
        last_at=max(each.last_at for each in group),
        charges=tuple([charge for each in group for charge in each.charges][:EXAMPLES]),
        waiting=len(waiting),
        given_up=len(given_up),
        dead_keys=len(dead_keys),
        acts=tuple(_acts(now, waiting=waiting, given_up=given_up, dead_keys=dead_keys)),
    )


def _acts(
    now: DeclineKind, *, waiting: Sequence[int], given_up: Sequence[int], dead_keys: Sequence[int]
) -> Iterable[str]:
    """Yield what an operator can do about what a decline has done, and that by the rules of now it would not have."""
    if dead_keys:
        keys = _listed([f"#{key}" for key in dead_keys])
        yield f"again key revive ID: by the rules as they are, the key would live ({keys})"
    if given_up and now is not DeclineKind.HARD:
        yield f"again charge collect ID: tries once more what was given up ({_listed(given_up)})"
    if waiting and now is DeclineKind.HARD:
        yield f"again checkout link CODE: asks the customer for another key ({_listed(waiting)})"
    elif waiting and not dead_keys:
        yield f"none is needed: the next try is decided by the rules as they are ({_listed(waiting)})"


def _listed(ids: Sequence[object]) -> str:
    more = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
    return f"{', '.join(map(str, ids[:SHOWN]))}{more}"


def _count(
    found: dict[tuple[str, str], UnmatchedText],
    rules: DeclineRules,
    each: DeclinedAlike | decline_queries.LookedUp,
    said: str,
) -> None:
    """Add declines to those of the same PG whose texts say the same."""
    key = (each.pg, alike(impersonal(said)))
    decision = classify(rules, each.pg, None, said)
    known = found.get(key) or UnmatchedText(
        pg=each.pg,
        text=impersonal(said),
        declines=0,
        looked_up=0,
        last_at=each.last_at,
        now=decision.kind_once_quiet,
        rule=None if decision.rule is None else decision.rule.place,
        charges=(),
    )
    is_declined = isinstance(each, DeclinedAlike)
    found[key] = replace(
        known,
        declines=known.declines + (each.declines if is_declined else 0),
        looked_up=known.looked_up + (0 if is_declined else each.declines),
        last_at=max(known.last_at, each.last_at),
        charges=tuple([*known.charges, *each.charges][:EXAMPLES]),
    )
