"""What operators are told of an event, in a chat or by e-mail: one short text, in Korean and in English. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from worker.domain.events.destinations import Message
from worker.domain.events.types import EventType

HEADINGS: Mapping[EventType, tuple[str, str]] = {
    EventType.ALERT_OPENED: (":red_circle:", "문제가 생겼습니다 / trouble"),
    EventType.ALERT_GROWN: (":red_circle:", "문제가 커졌습니다 / more of it"),
    EventType.ALERT_CLOSED: (":large_green_circle:", "해결되었습니다 / over"),
    EventType.TEST: (":white_circle:", "시험 메시지입니다 / a test"),
}
"""How the messages about alerts begin; others begin with the type of their event."""


def chat_text(message: Message) -> str:
    """Return the text for a chat: what it is about, what is wrong, and what to do."""
    sign, heading = HEADINGS.get(message.type, (":white_circle:", message.type.value))
    about = _about(message.data)
    first = f"{sign} *Again* {heading}{f': *{_plain(about)}*' if about else ''}"
    return "\n".join([first, *map(_plain, _details(message))])


def mail_text(message: Message) -> tuple[str, str]:
    """Return the subject and the body of an e-mail that says the same."""
    _, heading = HEADINGS.get(message.type, ("", message.type.value))
    about = _about(message.data)
    subject = f"[Again] {heading}{f': {about}' if about else ''}"
    return subject, "\n\n".join([subject, *_details(message)]) + "\n"


def _about(data: Mapping[str, object]) -> str:
    """Return what an event is about: a check, a destination, a PG, a plan, an invariant, or a subscription."""
    subscription = data.get("subscription")
    code = subscription.get("code") if isinstance(subscription, Mapping) else None
    named = (data.get(name) for name in ("check", "destination", "pg", "plan", "name"))
    return str(next((each for each in named if each), code or ""))


def _details(message: Message) -> Sequence[str]:
    if message.type is EventType.ALERT_CLOSED:
        return []
    return [str(message.data[name]) for name in ("finding", "remedy") if message.data.get(name)]


def _plain(text: str) -> str:
    """Return a text in which nothing is markup of a chat that calls people or leads elsewhere."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
