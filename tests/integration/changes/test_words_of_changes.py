"""What is kept in words with a change: a reason always, and neither it nor the customer's words without end."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from tests.integration.changes.conftest import NOW
from tests.support.acts import POLICY
from tests.support.book import Subscribed
from worker.changes.request import ChangeRequest, request_change
from worker.database.engine import Sessions
from worker.domain.changes import ChangeKind
from worker.domain.errors import Refused


@pytest.mark.parametrize(
    ("reason", "comment", "said"),
    [
        (" ", None, "The reason has 1 characters"),
        ("x" * 501, None, "The reason has 501 characters; say why in 1 to 500"),
        ("asked", "x" * 4001, "The comment has 4,001 characters; shorten it to 4,000 at most"),
    ],
    ids=("no reason", "a long reason", "a long comment"),
)
def test_words_that_cannot_be_kept_are_refused(
    sessions: Sessions, paid: Subscribed, reason: str, comment: str | None, said: str
):
    request = ChangeRequest(kind=ChangeKind.CANCEL, subscription=paid.code, reason=reason, comment=comment)
    with pytest.raises(Refused, match=said):
        request_change(sessions, request, policy=POLICY, now=NOW)
    with sessions() as session:
        assert session.scalar(text("SELECT count(*) FROM changes")) == 0
