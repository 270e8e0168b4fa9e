"""Access tokens: who gets one, how it is sent, how long it lives."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest

from tests.integration.sandbox.shapes import TOKEN, check, check_refusal
from tests.support.sandbox import Api, HandClock, RunningSandbox, running_sandbox
from worker.sandbox.http.client import SandboxAdmin

CREDENTIALS = {"imp_key": "sandbox", "imp_secret": "sandbox"}


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def standing(clock: HandClock) -> Iterator[RunningSandbox]:
    with running_sandbox(clock=clock) as running:
        yield running


def get_token(base_url: str) -> tuple[str, int, int]:
    answer = httpx.post(f"{base_url}/users/getToken", json=CREDENTIALS)
    token = check(answer, TOKEN)
    return token["access_token"], token["now"], token["expired_at"]


def test_token_lives_thirty_minutes_by_portones_clock(standing: RunningSandbox, clock: HandClock):
    _, now, expired_at = get_token(standing.base_url)
    assert now == clock.seconds()
    assert expired_at == now + 1800


def test_repeated_request_gets_the_same_token_with_the_same_end(standing: RunningSandbox, clock: HandClock):
    first, start, end = get_token(standing.base_url)
    clock.move(minutes=28)
    again, now, still = get_token(standing.base_url)
    assert (again, still) == (first, end)
    assert now == start + 28 * 60


def test_request_in_the_last_minute_extends_the_token_by_five_minutes(standing: RunningSandbox, clock: HandClock):
    first, _, end = get_token(standing.base_url)
    clock.move(minutes=29)
    again, _, later = get_token(standing.base_url)
    assert (again, later) == (first, end + 300)


def test_ended_token_is_rejected_and_the_next_one_is_new(standing: RunningSandbox, clock: HandClock):
    with Api(standing.base_url) as api:
        old = api.token
        clock.move(seconds=1799)
        assert api.get("/users/pg").status_code == 200
        clock.move(seconds=1)
        check_refusal(api.get("/users/pg"), code=-1, status=401, message="Unauthorized")
        api.log_in()
        assert api.token != old
        assert api.get("/users/pg").status_code == 200


def test_token_lives_as_long_in_real_time_when_the_clock_is_turned(standing: RunningSandbox, clock: HandClock):
    with Api(standing.base_url) as api:
        for ahead in (timedelta(days=40), timedelta(days=-3)):
            assert standing.admin.turn_clock(ahead)
            assert api.get("/users/pg").status_code == 200
        clock.move(seconds=1799)
        assert api.get("/users/pg").status_code == 200
        clock.move(seconds=1)
        assert api.get("/users/pg").status_code == 401


def test_token_outlives_a_restart(standing: RunningSandbox):
    before = get_token(standing.base_url)
    standing.stop()
    standing.start()
    assert get_token(standing.base_url) == before


def test_credentials_may_come_as_a_form(sandbox: RunningSandbox):
    check(httpx.post(f"{sandbox.base_url}/users/getToken", data=CREDENTIALS), TOKEN)


@pytest.mark.parametrize("left_out", ["imp_key", "imp_secret"])
def test_missing_credential_is_a_400(sandbox: RunningSandbox, left_out: str):
    rest = {name: value for name, value in CREDENTIALS.items() if name != left_out}
    answer = httpx.post(f"{sandbox.base_url}/users/getToken", json=rest)
    check_refusal(answer, code=1, status=400, message="imp_key, imp_secret 파라메터가 누락되었습니다.")


def test_wrong_secret_is_a_401(sandbox: RunningSandbox):
    answer = httpx.post(f"{sandbox.base_url}/users/getToken", json={**CREDENTIALS, "imp_secret": "wrong"})
    check_refusal(answer, code=-1, status=401)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": "{token}"}, 200),  # bare, as in PortOne's own samples
        ({"Authorization": "Bearer {token}"}, 200),  # the documented form
        ({"Authorization": "bearer {token}"}, 200),  # schemes are case-insensitive
        ({"X-ImpTokenHeader": "{token}"}, 200),  # the old header
        ({"Authorization": "Bearer {token}", "X-ImpTokenHeader": "dead"}, 200),  # Authorization wins ...
        ({"Authorization": "dead", "X-ImpTokenHeader": "{token}"}, 401),  # ... also when it is the wrong one
        ({}, 401),
        ({"Authorization": "Bearer"}, 401),
        ({"Authorization": ""}, 401),
    ],
)
def test_token_header_may_be_bare_bearer_or_the_old_one(sandbox: RunningSandbox, headers: dict[str, str], status: int):
    token, _, _ = get_token(sandbox.base_url)
    sent = {name: value.format(token=token) for name, value in headers.items()}
    answer = httpx.get(f"{sandbox.base_url}/users/pg", headers=sent)
    assert answer.status_code == status


def test_401_carries_the_envelope_and_portones_header(sandbox: RunningSandbox):
    answer = httpx.get(f"{sandbox.base_url}/payments/imps_000000000001")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authorize"] == "iamport"
    assert answer.json() == {"code": -1, "message": "Unauthorized", "response": None}


def test_admin_can_end_the_token(api: Api, admin: SandboxAdmin):
    old = api.token
    admin.end_token()
    assert api.get("/users/pg").status_code == 401
    api.log_in()
    assert api.token != old
