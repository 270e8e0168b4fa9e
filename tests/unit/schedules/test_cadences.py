"""How cadences are read and written, and which are rejected for what reason."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schedules.cadences import LONGEST, Anchored, Cron, Unit, parse_cadence
from schedules.errors import InvalidCadence

CRON_WORDS = [
    "0",
    "9",
    "*",
    "?",
    "L",
    "15W",
    "1-5",
    "*/2",
    "FRI#2",
    "JAN",
    "H",
    "R/5",
    "0-0",
    "99",
    "-1",
    ",",
    "#",
    "1/0",
]

anchored = st.sampled_from(Unit).flatmap(
    lambda unit: st.builds(Anchored, st.integers(min_value=1, max_value=LONGEST[unit]), st.just(unit)),
)


@pytest.mark.parametrize(
    ("text", "cadence", "canonical"),
    [
        ("day", Anchored(1, Unit.DAY), "day"),
        ("week", Anchored(1, Unit.WEEK), "week"),
        ("2 weeks", Anchored(2, Unit.WEEK), "2 weeks"),
        ("month", Anchored(1, Unit.MONTH), "month"),
        ("1 month", Anchored(1, Unit.MONTH), "month"),
        ("3 months", Anchored(3, Unit.MONTH), "3 months"),
        ("3 month", Anchored(3, Unit.MONTH), "3 months"),  # people forget the s
        ("  3   MONTHS ", Anchored(3, Unit.MONTH), "3 months"),
        ("months", Anchored(1, Unit.MONTH), "month"),
        ("year", Anchored(1, Unit.YEAR), "year"),
        ("2 years", Anchored(2, Unit.YEAR), "2 years"),
        ("10 years", Anchored(10, Unit.YEAR), "10 years"),  # the longest
        ("cron 0 9 1 * *", Cron("0 9 1 * *"), "cron 0 9 1 * *"),
        ("CRON  30 23 l * *", Cron("30 23 L * *"), "cron 30 23 L * *"),  # the month's last day
        ("cron 0 9 * * mon-fri", Cron("0 9 * * MON-FRI"), "cron 0 9 * * MON-FRI"),
        ("cron 0 9 ? mar thu", Cron("0 9 ? MAR THU"), "cron 0 9 ? MAR THU"),  # an R and an H that draw nothing
        ("cron 0 9 * * fri#2", Cron("0 9 * * FRI#2"), "cron 0 9 * * FRI#2"),  # the second Friday
        ("cron 0 9 29 2 *", Cron("0 9 29 2 *"), "cron 0 9 29 2 *"),  # every fourth year, eight across 2100
        ("cron 0 9 1 10 mon#1", Cron("0 9 1 10 MON#1"), "cron 0 9 1 10 MON#1"),  # every October's first Monday
        (
            "cron 0 9 * 2 1#5,2#5,4#5,5#5",
            Cron("0 9 * 2 1#5,2#5,4#5,5#5"),
            "cron 0 9 * 2 1#5,2#5,4#5,5#5",
        ),  # pauses of 8
        ("cron 0 9 31 2 1", Cron("0 9 31 2 1"), "cron 0 9 31 2 1"),  # day or weekday: Mondays in February
        ("cron 0 */24 1 * *", Cron("0 */24 1 * *"), "cron 0 */24 1 * *"),  # a step that leaves one hour
    ],
)
def test_cadence_is_read_in_all_spellings(text, cadence, canonical):
    assert parse_cadence(text) == cadence
    assert str(cadence) == canonical


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "a number and a unit"),
        ("every other month", "a number and a unit"),
        ("monthly", "'monthly' is not a unit; the units are day, week, month, year"),
        ("2 fortnights", "'fortnights' is not a unit"),
        ("hour", "'hour' is not a unit"),  # a billing date is a day
        ("@monthly", "'@monthly' is not a unit"),
        ("0 months", "from 1 to 120 (ten years), not 0"),
        ("-1 month", "from 1 to 120 (ten years), not -1"),
        ("1.5 months", "'1.5' is not a whole number"),
        ("two weeks", "'two' is not a whole number"),
        ("² weeks", "'²' is not a whole number"),  # a digit to Python, not to us
        ("3651 days", "from 1 to 3650 (ten years), not 3651"),
        ("521 weeks", "from 1 to 520"),
        ("121 months", "from 1 to 120"),
        ("11 years", "from 1 to 10"),
        ("9999999999 days", "not a whole number"),  # too many digits
        ("month" * 30, "longer than 100 characters"),
        ("0 9 1 * *", "needs the word cron before it"),
        ("cron", "needs five fields (minute, hour, day of month, month, day of week) and has 0"),
        ("cron @reboot", "and has 1"),
        ("cron @daily", "no seconds, years or @words"),
        ("cron 0 9 1 *", "and has 4"),
        ("cron 0 9 1 * * 30", "and has 6"),  # seconds
        ("cron 0 9 1 * * 0 2026", "and has 7"),  # a year
        ("cron 60 9 1 * *", "croniter does not accept the minute '60'"),
        ("cron 0 24 1 * *", "croniter does not accept the hour '24'"),
        ("cron 0 9 32 * *", "croniter does not accept the day of month '32'"),
        ("cron 0 9 0 * *", "croniter does not accept the day of month '0'"),
        ("cron 0 9 1 13 *", "croniter does not accept the month '13'"),
        ("cron 0 9 * * mon#6", "croniter does not accept the day of week 'MON#6'"),
        ("cron x 9 1 * y", "croniter does not accept the minute 'X' and the day of week 'Y'"),
        ("cron 0 9 1/0 * *", "croniter does not accept the day of month '1/0'"),
        ("cron 0 9 R * *", "drawn at random or from a hash"),  # croniter draws a new time at each call
        ("cron R(0-29) 9 1 * *", "drawn at random"),
        ("cron 0 H/5 1 * *", "drawn at random"),
        ("cron * 9 1 * *", "more than once on a local day"),
        ("cron 0 * 1 * *", "more than once on a local day"),
        ("cron 0 9,18 1 * *", "more than once on a local day"),
        ("cron */30 9 1 * *", "more than once on a local day"),
        ("cron 0 0-0 1 * *", "more than once on a local day"),  # an equal range means the whole field to croniter
        ("cron 0 0 30 2 *", "never fires"),
        ("cron 0 0 31 4,6,9,11 *", "never fires"),
        ("cron 0 0 29 2 mon#5", "not once in 10 years"),  # every 28 years
        ("cron 0 9 * 2 2#5,3#5,4#5", "not once in 10 years"),  # pauses of twelve
    ],
)
def test_cadence_that_cannot_be_billed_is_rejected_with_reason_and_example(text, reason):
    with pytest.raises(InvalidCadence) as refused:
        parse_cadence(text)
    assert reason in refused.value.reason
    assert reason in str(refused.value)
    assert "Write for example 'month'" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_invalid_cadence_cannot_be_constructed_in_code():
    with pytest.raises(InvalidCadence, match="from 1 to 10"):
        Anchored(0, Unit.YEAR)
    with pytest.raises(InvalidCadence, match="more than once"):
        Cron("* * * * *")
    with pytest.raises(InvalidCadence, match="longer than 100 characters"):
        Cron("0 9 1 * " + ",".join(["1"] * 60))


def test_invalid_cadence_survives_pickling():
    refused = InvalidCadence("monthly", "it is not a unit")
    assert str(pickle.loads(pickle.dumps(refused))) == str(refused)


@given(anchored)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_anchored_cadence_reads_back_from_its_text(cadence):
    assert parse_cadence(str(cadence)) == cadence


@given(st.text(alphabet="0123456789*/,-#?LWRHJANMONcrondayweekmonthyears @", max_size=30))
@settings(max_examples=500, deadline=None, derandomize=True)
def test_arbitrary_text_is_a_cadence_or_rejected_with_a_reason(text):
    try:
        cadence = parse_cadence(text)
    except InvalidCadence as refused:
        assert refused.reason  # noqa: PT017 - either way out is right
    else:
        assert parse_cadence(str(cadence)) == cadence


@given(st.lists(st.sampled_from(CRON_WORDS), min_size=3, max_size=7))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_arbitrary_cron_is_a_cadence_or_rejected_with_a_reason(fields):
    text = " ".join(["cron", *fields])
    try:
        cadence = parse_cadence(text)
    except InvalidCadence as refused:
        assert "\n" not in str(refused)  # noqa: PT017 - either way out is right
    else:
        assert parse_cadence(str(cadence)) == cadence
