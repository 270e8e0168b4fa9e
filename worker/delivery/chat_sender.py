"""Messages to chats: Slack, Mattermost and what else takes a text at an address that is itself the secret."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

from worker.delivery.webhook_sender import HEADERS, WebhookSender
from worker.domain.events.destinations import Endpoint, Message
from worker.domain.events.operator_texts import chat_text


class ChatSender(WebhookSender):
    """Sends as webhooks are sent, to checked addresses only; a text, and no signature."""

    def _written(self, endpoint: Endpoint, message: Message, now: datetime) -> tuple[str, Mapping[str, str]]:
        del endpoint, now  # nothing is signed
        return json.dumps({"text": chat_text(message)}, ensure_ascii=False), HEADERS
