"""Which database this is, whose it is, and when it was last worked with: by which a restored copy is noticed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.config.settings import Settings
from worker.database.clock import APART

TOUCH_EVERY = timedelta(seconds=30)
"""How often a worker notes that it works here; less often than it looks, for every claim would wait for that row."""

_RECORDED = text("""
    SELECT identity, identity = current_identity() AS same, seen_at, mode, prefix,
           EXISTS (SELECT FROM sweeps WHERE finished_at IS NULL AND holds_claims) AS held
    FROM database_identity
""")

_LOCKED = text("SELECT seen_at FROM database_identity FOR UPDATE")

_TOUCH = text("""
    UPDATE database_identity
    SET seen_at = CASE WHEN :set_back THEN :now ELSE GREATEST(seen_at, :now) END,
        identity = current_identity(), mode = :mode, prefix = :prefix
    WHERE seen_at = :seen_at AND identity = :identity
    RETURNING seen_at
""")


class WrongDatabase(RuntimeError):
    """The database belongs to another mode (live, sandbox) or another merchant_uid prefix than the settings say."""

    def __init__(self, finding: str, remedy: str) -> None:
        super().__init__(f"{finding}: {remedy}")
        self.finding = finding
        self.remedy = remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldPolicy:
    """What the settings say about the database: whose it is, and how long a silence makes it doubtful."""

    mode: str
    prefix: str
    gap: timedelta
    gap_wait: timedelta  # how long charging is held after a gap, besides comparing; money may be on its way
    quiet_period: timedelta

    @property
    def touch_every(self) -> timedelta:
        """How often a worker notes that it works here: several times within the shortest silence that is a gap."""
        return min(TOUCH_EVERY, self.gap / 4)

    @property
    def smallest_step(self) -> timedelta:
        """How far the database's clock may move without charging being held: far less than a quiet period."""
        return min(APART, self.quiet_period / 10)

    @property
    def longest_lease(self) -> timedelta:
        """No claimed attempt belongs to its worker for longer: the settings make a gap of two leases at least."""
        return self.gap / 2


def hold_policy_of(settings: Settings) -> HoldPolicy:
    """Return what the settings say about the database that charges are opened and claimed in."""
    return HoldPolicy(
        mode=settings.mode,
        prefix=settings.merchant_uid_prefix,
        gap=settings.gap,
        # With real money, what was sent before may still land; a sandbox need not be waited for.
        gap_wait=settings.quiet_period if settings.live else timedelta(0),
        quiet_period=settings.quiet_period,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownIdentity:
    """What the database says about itself."""

    identity: str
    same: bool  # it is the one that was worked with last, and no copy of it
    seen_at: datetime
    mode: str | None
    prefix: str | None
    held: bool  # a sweep holds charging


def known_identity(session: Session, *, for_update: bool = False) -> KnownIdentity:
    """Return what the database says about itself; `for_update` locks it, and only then looks."""
    if for_update:
        session.execute(_LOCKED)
    return KnownIdentity(**session.execute(_RECORDED).one()._mapping)  # noqa: SLF001 - public


def is_held(session: Session) -> bool:
    """Return whether charging is held, or will be once a worker looks at this copy; for acts that begin no hold."""
    known = known_identity(session)
    return known.held or not known.same


def touch(session: Session, known: KnownIdentity, policy: HoldPolicy, now: datetime, *, set_back: bool = False) -> bool:
    """Note that the database was worked with; `set_back`, also when that was noted at a later time.

    False when another process has noted it since `known` was read.
    """
    values = {
        "now": now,
        "set_back": set_back,
        "mode": policy.mode,
        "prefix": policy.prefix,
        "seen_at": known.seen_at,
        "identity": known.identity,
    }
    return session.execute(_TOUCH, values).first() is not None


def verify(session: Session, policy: HoldPolicy) -> None:
    """Raise WrongDatabase when the settings are not those with which the database has charged."""
    known = known_identity(session)
    check_owner(known.mode, known.prefix, policy)


def check_owner(mode: str | None, prefix: str | None, policy: HoldPolicy) -> None:
    """Raise WrongDatabase when a database has charged in another mode or under another prefix."""
    if mode is not None and mode != policy.mode:
        raise WrongDatabase(
            f"This database has charged in {mode} mode, and the settings say {policy.mode}",
            "give each its own database (AGAIN_DATABASE_URL), or set or remove AGAIN_PORTONE_KEY.",
        )
    if prefix is not None and prefix != policy.prefix:
        raise WrongDatabase(
            f"This database has charged under the prefix {prefix!r}, and AGAIN_MERCHANT_UID_PREFIX says "
            f"{policy.prefix!r}",
            "another prefix would charge open periods a second time. Set it back.",
        )
