"""The same-origin check: with a public URL, the Host header does not count."""

from __future__ import annotations

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from worker.web.http.same_origin import SameOrigin


def sent(**headers: str) -> Request:
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": named})


@pytest.mark.parametrize(
    ("public_url", "headers", "taken"),
    [
        ("https://shop.kr", {"host": "shop.kr", "origin": "https://shop.kr"}, True),
        ("https://shop.kr", {"host": "inside:9102", "origin": "https://shop.kr"}, True),  # behind a proxy
        ("https://Shop.kr/billing", {"host": "inside", "origin": "https://shop.kr"}, True),
        ("https://shop.kr", {"host": "evil.example", "origin": "https://evil.example"}, False),
        ("https://shop.kr", {"host": "shop.kr", "origin": "null"}, False),
        ("https://shop.kr", {"host": "shop.kr"}, True),  # no browser
        ("https://shop.kr", {"host": "shop.kr", "origin": "https://shop.kr", "sec_fetch_site": "cross-site"}, False),
        ("http://127.0.0.1:9102", {"host": "localhost:9102", "origin": "http://localhost:9102"}, True),
        (None, {"host": "localhost:9102", "origin": "http://localhost:9102"}, True),
        (None, {"host": "localhost:9102", "origin": "http://evil.example"}, False),
    ],
)
def test_requests_of_other_sites_pages_are_refused(public_url: str | None, headers: dict[str, str], taken: bool):
    own = SameOrigin(public_url)
    if taken:
        own.require(sent(**headers))
    else:
        with pytest.raises(HTTPException):
            own.require(sent(**headers))
