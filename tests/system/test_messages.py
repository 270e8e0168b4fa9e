"""What a worker takes from the broker: JSON. A message that would run as it is read is thrown away unread."""

from __future__ import annotations

import pickle
from pathlib import Path

from celery import Celery
from kombu.connection import Connection

from tests.system.conftest import Site
from worker.app import QUEUE
from worker.database import heartbeats


class Bomb:
    """Whoever unpickles it makes a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self):
        return open, (str(self._path), "w")


def test_a_pickled_message_is_thrown_away_unread_and_the_worker_goes_on(site: Site, tmp_path: Path):
    mark = tmp_path / "unpickled"
    pickle.loads(pickle.dumps(Bomb(mark))).close()
    assert mark.exists()  # it does work
    mark.unlink()
    with Connection(site.broker_url) as connection:
        connection.Producer().publish(
            pickle.dumps(((), {"bomb": Bomb(mark)}, {})),
            routing_key=QUEUE,
            content_type="application/x-python-serialize",
            content_encoding="binary",
            headers={"task": "again.open_charges", "id": "a-bomb"},
            declare=[connection.SimpleQueue(QUEUE).queue],
        )
    worker = site.start("worker", "worker", "-P", "solo", "-l", "INFO", "--without-gossip", "--without-mingle")
    site.until("the message is refused", lambda: "ContentDisallowed" in worker.log.read_text(), patience=20)
    with Celery("sender", broker=site.broker_url) as sender:
        sender.send_task("again.open_charges", queue=QUEUE)

    def opened() -> bool:
        with site.sessions() as session:
            return "again.open_charges" in heartbeats.last_seen(session)

    site.until("the next message is worked off", opened, patience=20)
    assert worker.ended is None
    assert not mark.exists()
    worker.stop(patience=0)
