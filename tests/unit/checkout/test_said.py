"""What a PG said about a refusal, as customers read it: without its code, not without end, and never as HTML."""

from __future__ import annotations

from typing import Any, cast

import pytest

from worker.checkout import pages
from worker.checkout.wording import Language
from worker.checkouts import View

SAID = [
    ("[0002]한도초과", "안내: 한도초과"),
    ("[LACK_BALANCE] 잔액이 부족합니다", "안내: 잔액이 부족합니다"),
    ("한도초과 [0002]", "안내: 한도초과 [0002]"),
    ("{amount} {0} %s", "안내: {amount} {0} %s"),  # no format of ours
    ("<script>alert(1)</script>", "안내: <script>alert(1)</script>"),  # escaped where it is put into a page
]


class Declined:
    """As much of a view as is asked for."""

    def __init__(self, said: str | None) -> None:
        self.said = said


def declined(said: str | None) -> str:
    view: Any = Declined(said)
    return pages.declined(cast("View", view), Language.KOREAN)


@pytest.mark.parametrize(("said", "read"), SAID)
def test_a_pgs_words_are_repeated_without_their_code(said: str, read: str):
    assert declined(said).endswith(read)


@pytest.mark.parametrize("said", [None, "", "[0002]"])
def test_where_a_pg_says_nothing_nothing_is_repeated(said: str | None):
    assert "안내" not in declined(said)


def test_an_endless_reason_is_cut_off():
    assert len(declined("가" * 5000)) < 400


def test_what_a_pg_says_is_escaped_in_the_page():
    site = pages.Site(base="", sdk_url="", merchant="", company="<i>Co</i>", contact="<u>us</u>", sandbox=True)
    page = pages.result(site, Language.KOREAN, "error", title="<b>", lead=declined("<script>\"'&"))
    assert '<script>"' not in page
    assert "&lt;script&gt;&#34;&#39;&amp;" in page
    assert "<i>" not in page
    assert "<u>" not in page
    assert "<b>" not in page
