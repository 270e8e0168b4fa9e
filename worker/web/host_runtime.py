"""The runtime of a host application's process: settings read, database checked, everything closed at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from worker.config.logs import log_through_the_host
from worker.devstack.addresses import effective_settings
from worker.runtime import Runtime, open_runtime


@contextmanager
def open_host_runtime(*, actor: str) -> Iterator[Runtime]:
    """Open a runtime by the settings in the environment, on the database's clock.

    Raises InvalidSettings, NotAvailable for a database that is not there or not migrated, WrongDatabase for one that
    has charged in another mode, and what SQLAlchemy raises when it does not answer.
    """
    log_through_the_host()
    settings = effective_settings()
    settings.require_pages(signs_links=False)
    with open_runtime(settings, actor=actor) as runtime:
        yield runtime
