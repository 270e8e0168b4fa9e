"""Moving a cohort to another version of its plan's price: a change for each subscription, thousands at a time.

A dry run decides the same and writes nothing. What became of each subscription is kept, and a run that was ended goes
on where it stopped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy.orm import Session

from schedules.plans import Plan
from worker.changes import bulk_queries, price_queries
from worker.changes.price_as_it_stands import price_sentence
from worker.changes.price_queries import Member, Members, PriceVersion
from worker.database.engine import Sessions
from worker.database.mapping import plan_of
from worker.database.planning import plan_by_index
from worker.domain.changes import BulkRowStatus, ChangeKind, ChangeStatus, WaitsFor, digest_of, start_of
from worker.domain.errors import Refused
from worker.domain.price_move import Failed, Moved, Skipped, price_move
from worker.ledger import changes
from worker.ledger.changes import NewChange
from worker.subscriptions.plans import plan_row

CHUNK = 2000
"""Subscriptions per transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceMove:
    """Who is moved to which version, and from when on; dates are in the plan's zone.

    `signed_up_from` and `signed_up_before` narrow it by the day of signing up, `codes` to those listed. `is_agreed`:
    the customers have agreed to a higher price already; otherwise each waits for its customer's consent.
    """

    plan: str
    version: int
    on: date | None = None
    signed_up_from: date | None = None
    signed_up_before: date | None = None
    codes: tuple[str, ...] | None = None
    is_agreed: bool = False


@dataclass(slots=True)
class MoveTotals:
    """What a move comes to so far. `before` and `after` are sums of a whole period of those moved, in won."""

    moved: int = 0
    waiting_for_consent: int = 0
    before: int = 0
    after: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    bulk_id: int | None = None

    @property
    def seen(self) -> int:
        return self.moved + self.skipped.total() + self.failed.total()


Progress = Callable[[MoveTotals], None]


def move_prices(
    sessions: Sessions,
    move: PriceMove,
    *,
    reason: str,
    max_amount: int,
    now: datetime,
    dry_run: bool,
    progress: Progress = lambda _: None,
) -> MoveTotals:
    """Move every subscription of a cohort, and return what it came to. Raises Refused for a cohort that cannot be."""
    with sessions.begin() as session:
        mover = _mover(session, move, reason, max_amount, now)
        totals = MoveTotals()
        if not dry_run:
            about = {name: value for name, value in asdict(move).items() if value is not None}
            totals.bulk_id = bulk_queries.start(session, ChangeKind.CHANGE_PRICE, about, reason=reason, rows=0, now=now)
    _walk(sessions, mover, totals, after=0, progress=progress)
    return totals


def go_on_moving(
    sessions: Sessions, bulk_id: int, *, max_amount: int, now: datetime, progress: Progress = lambda _: None
) -> MoveTotals:
    """Go on with a move that was ended before it had seen every subscription; the totals are of what is left."""
    with sessions.begin() as session:
        run = bulk_queries.run(session, bulk_id)
        if run is None or run.kind is not ChangeKind.CHANGE_PRICE or run.finished_at is not None:
            raise Refused(f"Bulk run {bulk_id} is no change of prices that goes on.")
        mover = _mover(session, _move_of(run.parameters), run.reason, max_amount, now)
        after = bulk_queries.last_number(session, bulk_id)
    totals = MoveTotals(bulk_id=bulk_id)
    _walk(sessions, mover, totals, after=after, progress=progress)
    return totals


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mover:
    """A move that can be: its plan, its prices, its cohort and its first day."""

    move: PriceMove
    plan: Plan
    versions: Mapping[int, PriceVersion]
    members: Members
    since: datetime
    reason: str
    max_amount: int
    now: datetime


def _mover(session: Session, move: PriceMove, reason: str, max_amount: int, now: datetime) -> _Mover:
    row = plan_row(session, move.plan)
    plan = plan_of(row)
    versions = {each.version: each for each in price_queries.versions(session, row.id)}
    if move.version not in versions:
        listed = ", ".join(map(str, versions))
        raise Refused(f"Plan {move.plan!r} has no version {move.version} of its price; it has {listed}.")
    if move.codes is not None and (unknown := price_queries.not_of_plan(session, row.id, move.codes)):
        raise Refused(
            f"{len(unknown):,} of the {len(move.codes):,} codes are of no subscription to plan {move.plan!r}, such as"
            f" {unknown[0]!r:.40}. Take them out of the list and try again."
        )
    since = now if move.on is None else start_of(move.on, plan.time_zone, now=now)
    members = Members(
        plan_id=row.id,
        since=_day(move.signed_up_from, plan),
        until=_day(move.signed_up_before, plan),
        codes=move.codes,
    )
    return _Mover(
        move=move,
        plan=plan,
        versions=versions,
        members=members,
        since=since,
        reason=reason,
        max_amount=max_amount,
        now=now,
    )


def _walk(sessions: Sessions, mover: _Mover, totals: MoveTotals, *, after: int, progress: Progress) -> None:
    while True:
        with sessions.begin() as session:
            plan_by_index(session)
            members = price_queries.cohort(session, mover.members, after=after, now=mover.now, limit=CHUNK)
            _decide(session, mover, members, totals)
            if totals.bulk_id is not None and len(members) < CHUNK:
                bulk_queries.finish(session, totals.bulk_id, now=mover.now)
        progress(totals)
        if len(members) < CHUNK:
            return
        after = members[-1].id


def _decide(session: Session, mover: _Mover, members: Sequence[Member], totals: MoveTotals) -> None:
    new: list[NewChange] = []
    left_out: list[Mapping[str, Any]] = []
    superseded: list[int] = []
    for member, decided in _decisions(mover, members):
        if isinstance(decided, Moved):
            new.append(_change(mover, member, decided, totals.bulk_id))
            superseded += member.superseded
            totals.moved += 1
            totals.waiting_for_consent += new[-1].waits_for is not None
            totals.before, totals.after = totals.before + decided.before, totals.after + decided.after
            continue
        status = BulkRowStatus.FAILED if isinstance(decided, Failed) else BulkRowStatus.SKIPPED
        (totals.failed if status is BulkRowStatus.FAILED else totals.skipped)[decided.why] += 1
        left_out.append({"number": member.id, "subject": member.code, "status": status, "reason": decided.why})
    if totals.bulk_id is None:
        return
    changes.end(session, superseded, ChangeStatus.SUPERSEDED, reason=f"by bulk run {totals.bulk_id}", now=mover.now)
    bulk_queries.link(session, totals.bulk_id, changes.add(session, new, now=mover.now))
    bulk_queries.add_rows(session, totals.bulk_id, left_out)


def _decisions(mover: _Mover, members: Sequence[Member]) -> Iterator[tuple[Member, Moved | Skipped | Failed]]:
    new = mover.versions[mover.move.version].amounts
    for member in members:
        decided = price_move(
            member.candidate,
            mover.plan,
            old=mover.versions[member.candidate.price_version].amounts,
            new=new,
            version=mover.move.version,
            since=mover.since,
            max_amount=mover.max_amount,
        )
        yield member, decided


def _change(mover: _Mover, member: Member, moved: Moved, bulk_id: int | None) -> NewChange:
    agreed = mover.move.is_agreed
    parameters: dict[str, Any] = {"version": mover.move.version, **({"agreed": True} if agreed else {})}
    at, zone = moved.effective_at, mover.plan.time_zone
    said = price_sentence(member.code, at, zone, moved.before, moved.after)
    kind = ChangeKind.CHANGE_PRICE
    digest = digest_of(kind, {"subscription": member.id, "charge": None}, parameters, at.astimezone(zone).date())
    return NewChange(
        kind=kind,
        subscription_id=member.id,
        charge_id=None,
        parameters=parameters,
        effective_at=at,
        reason=mover.reason,
        digest=digest,
        preview={"sentence": asdict(said), "before": moved.before, "after": moved.after},
        fingerprint=digest[:16],
        waits_for=WaitsFor.CONSENT if moved.rises and not agreed else None,
        bulk_id=bulk_id,
    )


def _day(on: date | None, plan: Plan) -> datetime | None:
    return None if on is None else datetime(on.year, on.month, on.day, tzinfo=plan.time_zone).astimezone(UTC)


def _move_of(parameters: Mapping[str, Any]) -> PriceMove:
    dates = {
        name: date.fromisoformat(parameters[name])
        for name in ("on", "signed_up_from", "signed_up_before")
        if name in parameters
    }
    codes = tuple(parameters["codes"]) if "codes" in parameters else None
    return PriceMove(
        plan=parameters["plan"],
        version=parameters["version"],
        codes=codes,
        is_agreed=parameters["is_agreed"],
        **dates,
    )
