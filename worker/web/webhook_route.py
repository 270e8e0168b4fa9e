"""POST /webhooks/portone: answers at once, and queues the event for the background."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from worker.checkout import WebhookEvent
from worker.checkout.webhooks import MAX_ID_LENGTH
from worker.web.http.bodies import read_object
from worker.web.http.sampled_log import SampledLog
from worker.web.http.source_addresses import SourceAddresses
from worker.web.webhook_queue import WebhookQueue

_ID = re.compile(
    rf"[!-~]{{1,{MAX_ID_LENGTH}}}"
)  # imp_uid, merchant_uid, cancellation_id: printable ASCII without spaces
_IMP_UID = re.compile(rf"[A-Za-z0-9_]{{1,{MAX_ID_LENGTH}}}")
_STATUS = re.compile(r"[a-z_]{1,20}")

BUSY = {"Retry-After": "60"}  # PortOne's resends, where a merchant has them, are a minute apart (documented)


class WebhookRoute:
    """Handler of the route. It believes nothing of what is sent, and answers before anything is looked up."""

    def __init__(self, queue: WebhookQueue, sources: SourceAddresses) -> None:
        self._queue = queue
        self._sources = sources
        self.not_ours = SampledLog("a webhook is about a payment that cannot be ours")
        self.refused = SampledLog("a webhook was refused for where it came from")

    async def receive(self, request: Request) -> Response:
        """Answer 200 for taken, whether or not the payment is ours; 403, 400, 413, 415, or 503 when the queue is full.

        503 rather than 200: PortOne sends again to merchants who have resends (documented for 5xx), and for the others
        the periodic look-ups find the same.
        """
        peer = request.client.host if request.client else None
        address = self._sources.client_address(peer, request.headers.getlist("x-forwarded-for"))
        if not self._sources.may_send_webhooks(address):
            # PortOne's addresses have changed before.
            self.refused.count(reason=self._sources.refusal_reason(peer, request.headers.getlist("x-forwarded-for")))
            raise HTTPException(403, "Webhooks are not taken from this address; see AGAIN_WEBHOOK_ADDRESSES.")
        fields = await read_object(request, form=True)
        if is_of_another_shop(fields):
            self.not_ours.count()
        elif not self._queue.put(read_event(fields)):
            raise HTTPException(503, "Too many webhooks are waiting; send it again later.", BUSY)
        return JSONResponse({"taken": True})


def is_of_another_shop(fields: Mapping[str, Any]) -> bool:
    """Return whether a merchant_uid is written as ours never are: a merchant's other sales have their own numbers."""
    merchant_uid = fields.get("merchant_uid")
    return isinstance(merchant_uid, str) and bool(merchant_uid) and _ID.fullmatch(merchant_uid) is None


def read_event(fields: Mapping[str, Any]) -> WebhookEvent:
    """Return the event in the fields that PortOne sends (documented), ignoring others. Raises HTTPException 400."""
    return WebhookEvent(
        imp_uid=_field(fields, "imp_uid", _IMP_UID),
        merchant_uid=_field(fields, "merchant_uid", _ID),
        status=_field(fields, "status", _STATUS),
        cancellation_id=_field(fields, "cancellation_id", _ID) if fields.get("cancellation_id") else None,
    )


def _field(fields: Mapping[str, Any], name: str, shape: re.Pattern[str]) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or shape.fullmatch(value) is None:
        raise HTTPException(400, f"{name} is missing, or not written as PortOne does.")
    return value
