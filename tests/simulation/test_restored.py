"""A database restored from a backup: every crash on the way to the end of the hold, and answers of the lost world."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from tests.simulation.restored_period import Restored, tell_restored
from tests.simulation.stories import RULES


def test_x(engine: Engine):
    import time
    for rules in RULES:
        a=time.process_time()
        told = tell_restored(engine, Restored(rules=rules))
        print(len(told.points), told.first, told.last, time.process_time()-a)
    for p in told.points: print(p)
