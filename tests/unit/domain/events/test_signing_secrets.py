"""The secrets of webhooks: taken as Standard Webhooks writes them, refused without being quoted."""

from __future__ import annotations

import base64

import pytest
from standardwebhooks import Webhook

from worker.domain.errors import Refused
from worker.domain.events import signing_secrets

RANDOM = bytes(range(1, 33))


def test_secret_that_is_made_is_read_and_known_to_the_library():
    secret = signing_secrets.written(RANDOM)
    assert signing_secrets.read(secret) == secret
    assert Webhook(secret)._whsecret == RANDOM


def test_secret_without_padding_is_completed():
    assert signing_secrets.read(signing_secrets.written(RANDOM).rstrip("=")) == signing_secrets.written(RANDOM)


@pytest.mark.parametrize(
    ("secret", "problem"),
    [
        ("", "does not begin with whsec_"),
        (base64.b64encode(RANDOM).decode(), "does not begin with whsec_"),
        ("whsec_", "has 0 bytes"),
        ("whsec_c2hvcnQ=", "has 5 bytes"),
        (signing_secrets.written(RANDOM[:23]), "has 23 bytes"),
        (signing_secrets.written(RANDOM * 3), "has 96 bytes"),
        ("whsec_한글", "is no base64"),
        ("whsec_not*base64", "is no base64"),
        (signing_secrets.written(bytes(32)), "could be guessed"),
    ],
)
def test_weak_or_odd_secret_is_refused_and_not_quoted(secret: str, problem: str):
    with pytest.raises(Refused, match=problem) as refused:
        signing_secrets.read(secret)
    assert len(secret) < 10 or secret not in str(refused.value)
