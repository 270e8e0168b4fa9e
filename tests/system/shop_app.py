"""The example shop's worker as the tests start it: what a dead one had read is read again after seconds."""

from __future__ import annotations

from tests.examples.shop_worker import app

__all__ = ["app"]

app.conf.broker_transport_options = {
    "visibility_timeout": 4,
    "unacked_restore_interval": 1,
    "unacked_restore_throttle": 1,
}
