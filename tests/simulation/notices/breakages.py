"""Notices, broken on purpose, in ways that a careless change could bring."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from worker.events import publishing
from worker.events.publishing import BATCH
from worker.ledger import notices, outbox
from worker.notices import following, following_queries, sending


def keep_in_a_transaction_of_its_own(patch: pytest.MonkeyPatch) -> None:
    """Commit the events, and keep the notices that follow them afterwards."""

    def in_two(sessions: Any, keeper: Any) -> tuple[int, int]:
        with sessions.begin() as session:
            made = [
                (fact, event)
                for fact in outbox.take(session, BATCH)
                if (event := publishing._event_of(fact)) is not None
            ]
            outbox.write(session, [event for _, event in made])
        with sessions.begin() as session:
            keeper.keep(session, made)
        return len(made), len(made)

    patch.setattr(publishing, "_publish_batch", in_two)


def take_out_before_sending(patch: pytest.MonkeyPatch) -> None:
    """Take what was kept out of the queue, as many queues do, and send it afterwards."""

    def in_two(sessions: Any, *, policy: Any, now: datetime) -> tuple[int, int]:
        with sessions.begin() as session:
            due = notices.due(session, now=now, limit=BATCH)
            facts = {each.id: each for each in following_queries.facts(session, [each.id for each in due])}
            made = [(each, following._content(each, facts.get(each.id), policy)) for each in due]
            notices.drop(session, [each.id for each in due])
        with sessions.begin() as session:
            sent = [
                notices.NewNotice(
                    subscription_id=each.subscription_id,
                    kind=each.kind,
                    about=each.about,
                    source=each.source,
                    due_at=each.due_at,
                    content=content,
                )
                for each, content in made
                if content is not None
            ]
            notices.add(session, sent, now=now)
        return len(due), len(sent)

    patch.setattr(sending, "send_kept", in_two)
