"""How much each form of the benchmark measures. Ratios are comparable between machines; sizes are not."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Rows, charges and seconds of one form; every duration in seconds."""

    form: str
    rounds: int  # of throughput; the median counts
    claim_due: tuple[int, ...]  # due charges at which claims are measured, rising; from 2,000 on
    subscriptions: int  # of the database in which ticks, look-ups and opening are measured
    opening_due: int
    price_moves: int  # subscriptions that are moved to another price
    fairness_due: int  # at each of the two PGs
    fairness_patience: float  # after which a variant is judged by what it has done
    throughput_charges: int  # per round
    out_of_the_box_seconds: float
    windows: tuple[int, ...]  # calls in flight of the curve; empty for none
    window_seconds: float  # how many seconds each point of the curve takes at its limit
    catch_up_charges: int
    catch_up_workers: tuple[int, ...]
    call_rounds: int  # of one call's cost
    year: tuple[int, int]  # subscriptions and months that are simulated
    obvious_charges: int  # of the comparison with one task per charge; 0 leaves it out


TINY = Sizes(
    form="tiny",
    rounds=1,
    claim_due=(2_000, 4_000),
    subscriptions=3_000,
    opening_due=500,
    price_moves=500,
    fairness_due=200,
    fairness_patience=8,
    throughput_charges=1_500,
    out_of_the_box_seconds=3,
    windows=(50, 200),
    window_seconds=2,
    catch_up_charges=3_000,
    catch_up_workers=(2,),
    call_rounds=1,
    year=(20, 1),
    obvious_charges=20,
)
SHORT = Sizes(
    form="short",
    rounds=2,
    claim_due=(10_000, 100_000),
    subscriptions=60_000,
    opening_due=20_000,
    price_moves=20_000,
    fairness_due=1_500,
    fairness_patience=20,
    throughput_charges=5_000,
    out_of_the_box_seconds=12,
    windows=(),
    window_seconds=0,
    catch_up_charges=8_000,
    catch_up_workers=(2,),
    call_rounds=3,
    year=(1_000, 12),
    obvious_charges=0,
)
LONG = Sizes(
    form="long",
    rounds=3,
    claim_due=(10_000, 100_000, 600_000, 5_000_000),
    subscriptions=5_000_000,
    opening_due=100_000,
    price_moves=100_000,
    fairness_due=5_000,
    fairness_patience=600,
    throughput_charges=20_000,
    out_of_the_box_seconds=60,
    windows=(100, 200, 500, 1000),
    window_seconds=15,
    catch_up_charges=300_000,
    catch_up_workers=(2, 4),
    call_rounds=11,
    year=(1_000, 12),
    obvious_charges=200,
)
FORMS = {sizes.form: sizes for sizes in (TINY, SHORT, LONG)}
