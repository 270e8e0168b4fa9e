"""Dunning calendars of every form, for hypothesis."""

from __future__ import annotations

from hypothesis import assume
from hypothesis import strategies as st

from schedules.dunning import DunningCalendar, DunningKind, DunningRule, TryHours
from schedules.errors import InvalidDunning

_DAYS = st.sets(st.integers(1, 27), max_size=4).map(lambda days: tuple(sorted(days)))
_PAYDAYS = st.sampled_from([(10, 25), (25,), (5, 20), (1, 15, 31)])


@st.composite
def _hours(draw: st.DrawFn) -> TryHours | None:
    """Return none, or hours that no clock of a zone with summer time leaves out."""
    if draw(st.booleans()):
        return None
    first = draw(st.integers(4, 22))
    return TryHours(first, draw(st.integers(first + 1, 24)))


_RULES = st.builds(DunningRule, days=_DAYS, paydays=st.integers(0, 2), hours=_hours())


@st.composite
def full_calendars(draw: st.DrawFn) -> DunningCalendar:
    """Return a calendar that can be kept, with any of its clauses."""
    general = draw(_RULES)
    own = draw(st.dictionaries(st.sampled_from(DunningKind), _RULES, max_size=3))
    try:
        return DunningCalendar(
            general.days,
            then_paydays=general.paydays,
            hours=general.hours,
            own=tuple((kind, own[kind]) for kind in DunningKind if kind in own),
            weekends=draw(st.booleans()),
            holidays=draw(st.booleans()),
            paydays=draw(_PAYDAYS),
            tries_a_month=draw(st.none() | st.integers(1, 6)),
        )
    except InvalidDunning:
        assume(False)
        raise
