"""How many subscriptions a second are moved to another price: scheduled with a record each, and applied when due."""

from __future__ import annotations

from datetime import timedelta
from time import perf_counter

from tests.bench.book import Book
from tests.bench.figures import Figure, Measured
from tests.bench.servers import Bench
from worker.changes.apply_due import apply_due_changes
from worker.changes.kind import ChangePolicy
from worker.changes.price_move import PriceMove, move_prices
from worker.changes.prices import NewPrice, add_price
from worker.database.engine import session_factory
from worker.domain.pricing.amounts import Amounts

TITLE = "Another price for many"
AIM = 2_000.0  # subscriptions per second
MOST = 1_000_000  # won


def measure(bench: Bench) -> Measured:
    """Move every subscription of a plan to a lower price, and apply it a month later."""
    count = bench.sizes.price_moves
    with bench.database(parallel=False) as database:
        book = Book(database.engine)
        book.subscribe(count)
        book.analyse()
        sessions, now = session_factory(database.engine), book.now
        version = add_price(sessions, "bench", NewPrice(Amounts(7_900)), max_amount=MOST, now=now).version
        started = perf_counter()
        wanted = PriceMove(plan="bench", version=version)
        moved = move_prices(sessions, wanted, reason="bench", max_amount=MOST, now=now, dry_run=False).moved
        scheduled = perf_counter() - started
        started = perf_counter()
        later = now + timedelta(days=60)
        applied = apply_due_changes(sessions, policy=ChangePolicy(max_amount=MOST), now=later).applied
        seconds = perf_counter() - started
    if (moved, applied) != (count, count):
        raise SystemExit(f"of {count} subscriptions {moved} were moved, and {applied} changes were applied")
    return Measured(
        figures=(
            Figure(name="scheduled", value=moved / scheduled, unit="/s", aim=AIM, note=f"{count:,} of one plan"),
            Figure(name="applied", value=applied / seconds, unit="/s", aim=AIM, note="all due at one moment"),
        )
    )
