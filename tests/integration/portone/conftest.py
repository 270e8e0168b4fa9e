"""Shared by all tests of the PortOne client."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest


@pytest.fixture(autouse=True, scope="session")
def _certificate_authorities() -> Iterator[None]:
    """Read the list of certificate authorities once, instead of for each of some three hundred gateways."""
    context = httpx.create_ssl_context()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(httpx, "create_ssl_context", lambda: context)
        yield
