"""The broker's address taken apart: what TLS it asks for, with certificates verified unless it says otherwise. Pure.

kombu takes `rediss://` without options for "trust any server", and flower reads no options from an address at
all; so they are read here, once, and handed to Celery, flower and redis-py alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import parse_qsl, urlencode, urlsplit

SCHEMES = ("redis", "rediss", "memory")
"""The last one is kombu's own, within one process: enough where no message is sent."""

_VERIFY = {"required": True, "cert_required": True, "none": False, "cert_none": False}
_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
OPTIONS = ("ssl_cert_reqs", "ssl_check_hostname", *_FILES)
"""What `rediss://...?` may say about TLS; no password among them, for flower would show it."""

_DATABASE = re.compile("(/[0-9]{0,4})?")

UNREADABLE = "AGAIN_BROKER_URL cannot be read; give redis://:password@host:6379/0, or rediss://... for TLS."


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """An address without its TLS options, and those options as redis-py calls them; None for no TLS."""

    url: str = field(repr=False)
    host: str
    tls: Mapping[str, str | bool] | None

    @classmethod
    def read(cls, url: str) -> Self:
        """Parse an address that has no problems."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme != "rediss":
            return cls(url, host, None)
        query = parse_qsl(parts.query)
        given = {name: value for name, value in query if name in OPTIONS}
        verify = _VERIFY[given.get("ssl_cert_reqs", "required").lower()]
        tls: dict[str, str | bool] = {
            "ssl_cert_reqs": "required" if verify else "none",
            "ssl_check_hostname": verify and given.get("ssl_check_hostname", "true").lower() == "true",
        }
        files = {name: given[name] for name in _FILES if name in given}
        rest = urlencode([(name, value) for name, value in query if name not in OPTIONS])
        return cls(parts._replace(query=rest).geturl(), host, {**tls, **files})

    @property
    def verified(self) -> bool:
        """Return whether the broker's certificate and host name are verified."""
        return self.tls is not None and self.tls["ssl_cert_reqs"] == "required" and bool(self.tls["ssl_check_hostname"])


def broker_problems(url: str) -> Iterator[str]:
    """Yield everything that is wrong with AGAIN_BROKER_URL; never the address itself, which may hold a password."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # reading it is what checks it
    except ValueError:
        yield UNREADABLE
        return
    if parts.scheme not in SCHEMES:
        yield UNREADABLE
    if parts.scheme != "memory" and _DATABASE.fullmatch(parts.path) is None:
        yield f"AGAIN_BROKER_URL ends in {parts.path!r:.40}, which is no database's number; end it in /0, for example."
    options = {name: value for name, value in parse_qsl(parts.query) if name.startswith("ssl")}
    if options and parts.scheme != "rediss":
        yield "AGAIN_BROKER_URL has options of TLS (ssl_...), so it must begin with rediss://."
    for name in sorted(options.keys() - set(OPTIONS)):
        yield f"AGAIN_BROKER_URL has {name:.30}, which Again does not know; it knows {', '.join(OPTIONS)}."
    if options.get("ssl_cert_reqs", "required").lower() not in _VERIFY:
        yield "AGAIN_BROKER_URL: ssl_cert_reqs must be required (the default) or none."
    if options.get("ssl_check_hostname", "true").lower() not in {"true", "false"}:
        yield "AGAIN_BROKER_URL: ssl_check_hostname must be true (the default) or false."
