"""The windows that the other tests of this room start from can be opened as they are."""

from __future__ import annotations

import pytest

from tests.support.payment_windows import PAYMENT, REGISTRATION, WITH_PAYMENT, problems, request
from worker.pg.window import build


@pytest.mark.parametrize(
    ("pg", "use"),
    [
        ("kakaopay", PAYMENT),
        ("kakaopay", REGISTRATION),
        ("kakaopay", WITH_PAYMENT),
        ("payco", PAYMENT),
        ("payco", REGISTRATION),  # there is no registration with payment at PAYCO
    ],
)
def test_windows_of_the_builders_can_be_opened(pg, use):
    assert problems(request(pg, use)) == {}
    assert build(request(pg, use))["pg"] == pg
