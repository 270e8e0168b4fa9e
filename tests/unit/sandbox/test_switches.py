"""Changing the switches of a sandbox by name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from worker.sandbox.switches import BadSwitch, Outage, Repeat, Settings, Switches


def test_switches_are_changed_by_name():
    changed = Switches().changed({"repeated_paid": "accept", "outage": "hang", "latency_seconds": [0, 0.05]})
    assert (changed.repeated_paid, changed.outage) == (Repeat.ACCEPT, Outage.HANG)
    assert changed.latency_seconds == (0.0, 0.05)
    assert changed.repeated_failed is Repeat.ACCEPT, "what is not named stays"


def test_switches_written_as_json_can_be_set_again():
    switches = Switches(repeated_in_flight=Repeat.ACCEPT, latency_seconds=(0.1, 0.2), unknown_customer_status=200)
    assert Switches().changed(json.loads(json.dumps(switches.as_json()))) == switches


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"colour": "red"}, "no switch 'colour'"),
        (
            {"repeated_paid": "serialize"},
            "refuse, refuse_as_pg, refuse_vaguely, accept",
        ),  # there is nothing to wait for
        ({"repeated_failed": "serialize"}, "refuse, refuse_as_pg, refuse_vaguely, accept"),
        ({"repeated_in_flight": "maybe"}, "serialize"),
        ({"outage": True}, "none, refuse"),
        ({"latency_seconds": 1}, "two numbers"),
        ({"latency_seconds": [1, 0]}, "must not exceed"),
        ({"latency_seconds": [-1, 0]}, "from 0"),
        ({"lookup_delay_seconds": "long"}, "from 0"),
        ({"unknown_customer_status": 500}, "200 or 404"),
    ],
)
def test_unknown_switch_or_value_is_rejected_with_a_reason(changes: dict[str, Any], complaint: str):
    with pytest.raises(BadSwitch, match=complaint):
        Switches().changed(changes)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"webhook_url": "ftp://a.example/"}, "http://"),
        ({"webhook_url": None}, "http://"),
        ({"webhook_format": "xml"}, "json, form"),
        ({"webhook_source": "localhost"}, "IP address"),
        ({"webhook_source": 5}, "IP address"),
        ({"webhook_resends": 6}, "0 to 5"),
        ({"webhook_resends": True}, "0 to 5"),
        ({"window_reports": 1}, "true or false"),
        ({"registration_amount": "both"}, "zero, shown"),
    ],
)
def test_wrong_value_of_a_window_or_webhook_switch_is_rejected(changes: dict[str, object], complaint: str):
    with pytest.raises(BadSwitch, match=complaint):
        Switches().changed(changes)


def test_secret_is_not_in_the_settings_repr():
    assert "hush" not in repr(Settings(imp_secret="hush"))
