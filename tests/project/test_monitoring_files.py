"""The page of metrics, the rules and the board are made of the code; and each alarm fires and is silent (promtool)."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import monitoring_files
from worker.domain import alarm_limits as limits
from worker.metrics.alarms import ALARMS, Alarm
from worker.metrics.families import FAMILIES, sample_names
from worker.operations import count_queries

REMEDY = "run python -m tests.support.monitoring_files"
NAMES = re.compile(r"\bagain_[a-z_]+")

MINUTES = 70
"""How long each story of an alarm is told, one sample a minute."""

QUIET = {
    'up{job="again"}': "1",
    'again_part_seen_age_seconds{part="beat"}': "1",
    'again_part_late_after_seconds{part="beat"}': "200",
    "again_charging_held": "0",
    'again_status_rows{row="failing"}': "0",
    'again_due_wait_seconds{pg="kakaopay"}': "70",
    "again_opening_wait_seconds": "30",
    'again_status_oldest_age_seconds{row="unknown"}': "3600",
    'again_status_oldest_age_seconds{row="refunding"}': "3600",
    'again_call_seconds_count{pg="kakaopay", outcome="paid"}': "0+50",
    'again_call_seconds_count{pg="kakaopay", outcome="declined"}': "0+5",
    "again_sweep_age_seconds": "90000",
    "again_sweep_interval_seconds": "86400",
    "again_sweep_failing_age_seconds": "0",
    'again_limit_used_ratio{pg="kakaopay", limit="day_sum"}': "0.5",
    "again_outbox_oldest_age_seconds": "1",
    'again_destination_disabled{destination="shop"}': "0",
    'again_delivery_oldest_age_seconds{destination="shop"}': "20",
}
"""A day like any other: nothing is to fire. A number stays, `0+50` grows by 50 a minute."""

TROUBLES: dict[str, dict[str, str]] = {
    "AgainMetricsDown": {'up{job="again"}': "0"},
    "AgainPartSilent": {'again_part_seen_age_seconds{part="beat"}': "201"},
    "AgainStopped": {'again_stopped{scope="kakaopay"}': "1"},
    "AgainChargingHeld": {"again_charging_held": "1"},
    "AgainInvariantViolated": {'again_violated_rows{invariant="items_add_up_to_their_charge"}': "2"},
    "AgainDiscrepancyOpen": {'again_open_discrepancies{kind="paid_twice"}': "1"},
    "AgainDueLate": {'again_due_wait_seconds{pg="kakaopay"}': "901"},
    "AgainNothingCharged": {
        'again_call_seconds_count{pg="kakaopay", outcome="paid"}': "70",
        'again_call_seconds_count{pg="kakaopay", outcome="declined"}': "5",
    },
    "AgainOpeningLate": {"again_opening_wait_seconds": "901"},
    "AgainUnknownLate": {'again_status_oldest_age_seconds{row="unknown"}': "21601"},
    "AgainLookUpsFail": {'again_status_rows{row="failing"}': "3"},
    "AgainRefundLate": {'again_status_oldest_age_seconds{row="refunding"}': "21601"},
    "AgainSweepLate": {"again_sweep_age_seconds": "130000"},
    "AgainSweepFails": {"again_sweep_failing_age_seconds": "3601"},
    "AgainDeclinesJumped": {  # from the thirtieth minute on every call is declined
        'again_call_seconds_count{pg="kakaopay", outcome="paid"}': "0+5000x29 145000x40",
        'again_call_seconds_count{pg="kakaopay", outcome="declined"}': "0x29 0+50x40",
    },
    "AgainLimitNear": {'again_limit_used_ratio{pg="kakaopay", limit="day_sum"}': "0.9"},
    "AgainRelayStuck": {"again_outbox_oldest_age_seconds": "301"},
    "AgainDestinationDisabled": {'again_destination_disabled{destination="shop"}': "1"},
    "AgainDeliveryLate": {'again_delivery_oldest_age_seconds{destination="shop"}': "3601"},
}


@pytest.mark.parametrize("path", monitoring_files.files(), ids=lambda path: path.name)
def test_file_is_what_the_code_says(path: Path):
    assert path.read_text() == monitoring_files.files()[path], REMEDY


def test_alarms_and_board_ask_only_for_metrics_that_there_are():
    board = json.loads(monitoring_files.BOARD.read_text())
    asked = [*(alarm.expression for alarm in ALARMS), *monitoring_files.queries(board)]
    assert len(asked) > 40
    found = {name for query in asked for name in NAMES.findall(query)}
    assert found - sample_names() == set()


def test_rows_that_alarms_and_board_ask_for_are_rows_of_status():
    known = set(re.findall(r"SELECT '(\w+)'", f"{count_queries._MOVING} {count_queries._STANDING}"))
    board = json.loads(monitoring_files.BOARD.read_text())
    asked = " ".join([*(alarm.expression for alarm in ALARMS), *monitoring_files.queries(board)])
    assert set(re.findall(r'row="(\w+)"', asked)) - known == set()


def test_panels_of_the_board_do_not_overlap():
    places = [panel["gridPos"] for panel in json.loads(monitoring_files.BOARD.read_text())["panels"]]
    cells = [
        (column, line)
        for place in places
        for column in range(place["x"], place["x"] + place["w"])
        for line in range(place["y"], place["y"] + place["h"])
    ]
    assert max(column for column, _ in cells) < 24
    assert len(cells) == len(set(cells))


def test_names_of_metrics_follow_the_convention():
    for name, family in FAMILIES.items():
        assert name.startswith("again_")
        assert not name.endswith("_total"), "the client adds it"
        assert family.help.endswith(".")
        assert set(family.labels) & {"le", "job", "instance"} == set()


def test_alarms_have_the_thresholds_of_doctor_and_status():
    rules = {
        rule["alert"]: rule["expr"] for rule in yaml.safe_load(monitoring_files.RULES.read_text())["groups"][0]["rules"]
    }
    for name, limit in (
        ("AgainRelayStuck", limits.RELAY_LATE),
        ("AgainDeliveryLate", limits.DELIVERY_LATE),
        ("AgainDueLate", limits.DUE_LATE),
    ):
        assert f"> {limit.total_seconds():.0f}" in rules[name]


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not installed: apt-get install prometheus brings it")
    return found


def told(series: dict[str, str]) -> list[dict[str, str]]:
    def values(said: str) -> str:
        return said if "x" in said else f"{said}x{MINUTES}"

    return [{"series": name, "values": values(said)} for name, said in series.items()]


def story(series: dict[str, str], expected: dict[str, int]) -> dict[str, Any]:
    return {
        "interval": "1m",
        "input_series": told(series),
        "promql_expr_test": [
            {
                "expr": f'count(ALERTS{{alertname="{name}", alertstate="firing"}})',
                "eval_time": f"{MINUTES - 1}m",
                "exp_samples": [{"value": count}] if count else [],
            }
            for name, count in expected.items()
        ],
    }


def run(promtool: str, folder: Path, stories: list[dict[str, Any]]) -> str:
    path = folder / "stories.yml"
    path.write_text(yaml.safe_dump({"rule_files": [str(monitoring_files.RULES)], "tests": stories}))
    done = subprocess.run([promtool, "test", "rules", str(path)], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_no_alarm_fires_on_an_ordinary_day(promtool: str, tmp_path: Path):
    assert run(promtool, tmp_path, [story(QUIET, {alarm.name: 0 for alarm in ALARMS})]) == ""


@pytest.mark.parametrize("alarm", ALARMS, ids=lambda alarm: alarm.name)
def test_alarm_fires_in_its_trouble_and_no_other_does(alarm: Alarm, promtool: str, tmp_path: Path):
    expected = {each.name: int(each is alarm) for each in ALARMS}
    assert run(promtool, tmp_path, [story(QUIET | TROUBLES[alarm.name], expected)]) == ""


def test_metrics_that_are_not_scraped_at_all_are_an_alarm(promtool: str, tmp_path: Path):
    assert run(promtool, tmp_path, [story({"other": "1"}, {"AgainMetricsDown": 1})]) == ""


def test_stories_of_alarms_can_fail(promtool: str, tmp_path: Path):
    assert "FAILED" in run(promtool, tmp_path, [story(QUIET, {"AgainStopped": 1})])
