"""The token rule at its boundaries, and for any sequence of callers."""

from __future__ import annotations

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.sandbox.rules.tokens import Token, granted

NOW = 1_000_000


def fresh() -> str:
    return "new"


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        (1800, Token("old", NOW + 1800)),  # just issued: the same again
        (61, Token("old", NOW + 61)),  # one second before the last minute
        (60, Token("old", NOW + 360)),  # the last minute: five more
        (1, Token("old", NOW + 301)),  # its last second
        (0, Token("new", NOW + 1800)),  # expired at its end
        (-5, Token("new", NOW + 1800)),  # long expired
    ],
)
def test_granted_token_is_kept_extended_or_new_by_its_age(left: int, expected: Token):
    assert granted(Token("old", NOW + left), now=NOW, fresh=fresh) == expected


def test_first_caller_gets_a_new_token():
    assert granted(None, now=NOW, fresh=fresh) == Token("new", NOW + 1800)


@given(st.lists(st.integers(min_value=0, max_value=2000), max_size=30))
def test_no_caller_ever_ends_the_token_of_another(waits: list[int]):
    numbers = count()
    now, token = NOW, granted(None, now=NOW, fresh=lambda: str(next(numbers)))
    for wait in waits:
        now += wait
        following = granted(token, now=now, fresh=lambda: str(next(numbers)))
        assert following.is_alive(now)
        assert following.access_token == token.access_token or not token.is_alive(now)
        assert following.expires_at >= token.expires_at
        token = following


def test_access_token_is_not_in_its_repr():
    assert "old" not in repr(Token("old", NOW))
