"""`notice_url` of a request: where this payment's webhooks go instead of to the merchant's usual address. Pure."""

from __future__ import annotations

from typing import Any

from worker.sandbox.web_addresses import is_web_address

MOST_NOTICE_URLS = 5  # a sanity bound of the sandbox, not PortOne's


def read_notice_urls(value: Any) -> tuple[str, ...]:
    """Read one address or a list of them [documented]; what is no web address is passed over [assumed]."""
    given = value if isinstance(value, list) else [value]
    return tuple(dict.fromkeys(each for each in given if is_web_address(each)))[:MOST_NOTICE_URLS]
