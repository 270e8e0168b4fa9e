"""Builds what use cases work with: engine, sessions, gateway. One Runtime per process, made after the fork.

Settings become the policies that use cases take here; a use case is imported when its policy is first asked for, since
a command needs one of them, if any. `worker.devstack.stack` alone builds an engine besides, to
migrate the embedded database before anything runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from worker.config.settings import Settings
from worker.database import migrations
from worker.database.clock import DatabaseClock, warn
from worker.database.engine import Sessions, create_database_engine, session_factory
from worker.devstack.addresses import NotAvailable, broker_address, database_address, effective_settings
from worker.domain.clock import Clock, system_clock
from worker.ledger.consent_gate import set_gate
from worker.ledger.database_identity import HoldPolicy, hold_policy_of, verify

if TYPE_CHECKING:
    from worker.changes.kind import ChangePolicy
    from worker.changes.refunds import RefundDesk
    from worker.checkout.context import CheckoutContext
    from worker.delivery.email_sender import Mailbox
    from worker.domain.events.destinations import Senders
    from worker.domain.gateway import Gateway
    from worker.domain.retry_policy import RetryPolicy
    from worker.notices.policy import NoticePolicy
    from worker.operations.invariants import Thresholds
    from worker.portone.client import PortOneClient
    from worker.reconciliation.slice_walk import StatementPolicy


@dataclass(frozen=True, slots=True)
class Runtime:
    """What a use case is given. Nothing connects before it is used."""

    settings: Settings
    clock: Clock
    engine: Engine
    sessions: Sessions

    def __post_init__(self) -> None:
        set_gate(self.sessions, self.settings.consent_gate)

    @classmethod
    def create(cls, settings: Settings, database_url: str, *, actor: str, clock: Clock = system_clock) -> Runtime:
        """Make a runtime; `actor` is what the audit writes down as who did it."""
        engine = create_database_engine(database_url, actor=actor)
        return cls(settings, clock, engine, session_factory(engine))

    def client(self) -> PortOneClient:
        """Connect to PortOne or the sandbox; call it inside the event loop that will use it."""
        from worker.portone.client import PortOneClient
        from worker.portone.connection import Connection

        settings = self.settings
        return PortOneClient(
            Connection(
                settings.gateway_url,
                settings.gateway_credentials,
                connect_timeout=settings.connect_timeout_seconds,
                read_timeout=settings.read_timeout_seconds,
            )
        )

    def gateway(self) -> Gateway:
        """Make the gateway on a connection of its own; inside the event loop that will use it."""
        from worker.portone.adapter import PortOneGateway

        return PortOneGateway(self.client(), deadline=self.settings.call_deadline, rules=self.policy.rules)

    def checkout_context(self, gateway: Gateway) -> CheckoutContext:
        """Return the dependencies of the checkout use cases."""
        from worker.checkout.context import CheckoutContext

        return CheckoutContext(
            sessions=self.sessions,
            gateway=gateway,
            clock=self.clock,
            policy=self.policy,
            prefix=self.settings.merchant_uid_prefix,
            hold_policy=self.hold_policy,
        )

    def refund_desk(self, gateway: Gateway) -> RefundDesk:
        """Return what refunds are asked for and carried out with."""
        from worker.changes.refunds import RefundDesk
        from worker.refunds.carry_out import RefundContext

        context = RefundContext(self.sessions, gateway, self.clock, self.policy)
        return RefundDesk(context, self.change_policy, self.settings.merchant_uid_prefix)

    def senders(self) -> Senders:
        """Make what sends events to each kind of destination; inside the event loop that will use it."""
        from worker.config.smtp_url import SmtpServer
        from worker.delivery.chat_sender import ChatSender
        from worker.delivery.email_sender import EmailSender
        from worker.delivery.task_sender import TaskSender
        from worker.delivery.webhook_sender import WebhookSender
        from worker.domain.events.destinations import DestinationKind

        settings = self.settings
        host_broker = settings.events_broker_url
        smtp = None if settings.smtp_url is None else SmtpServer.read(settings.smtp_url.get_secret_value())
        url = host_broker.get_secret_value() if host_broker is not None else broker_address(settings)
        return {
            DestinationKind.WEBHOOK: WebhookSender(settings.webhook_allowed_networks),
            DestinationKind.CHAT: ChatSender(settings.webhook_allowed_networks),
            DestinationKind.TASK: TaskSender(url, queue=settings.events_queue),
            DestinationKind.EMAIL: EmailSender(smtp, settings.smtp_from, self._mailbox_of),
        }

    def _mailbox_of(self, code: str) -> Mailbox | None:
        """Return where the notices of a subscription go, if it has an address."""
        from worker.delivery.email_sender import Mailbox
        from worker.subscriptions import email_queries

        with self.sessions() as session:
            found = email_queries.address_of(session, code)
        return None if found is None else Mailbox(*found)

    @property
    def policy(self) -> RetryPolicy:
        """The waiting times of the settings, as settlement takes them, and the rules of declines."""
        from worker.config.decline_packs import rules_with
        from worker.domain.retry_policy import RetryPolicy

        settings = self.settings
        return RetryPolicy(
            quiet_period=settings.quiet_period,
            lookup_backoff=tuple(timedelta(seconds=rung) for rung in settings.lookup_backoff_seconds),
            not_charged_delay=timedelta(seconds=settings.not_charged_delay_seconds),
            transient_delay=timedelta(seconds=settings.transient_delay_seconds),
            rules=rules_with(settings.decline_rules),
        )

    @property
    def hold_policy(self) -> HoldPolicy:
        """What the settings say about the database that charges are opened and claimed in."""
        return hold_policy_of(self.settings)

    @property
    def statement_policy(self) -> StatementPolicy:
        """How the settings want PortOne's payments compared."""
        from worker.reconciliation.slice_walk import StatementPolicy

        settings = self.settings
        return StatementPolicy(
            every=timedelta(seconds=settings.sweep_every_seconds),
            span=timedelta(days=settings.sweep_days),
            pause=1 / settings.sweep_requests_per_second,
            quiet_period=settings.quiet_period,
            prefix=settings.merchant_uid_prefix,
        )

    @property
    def thresholds(self) -> Thresholds:
        """Maximum ages of unfinished work, as far as the settings decide them."""
        from worker.operations.invariants import Thresholds

        last_look_up = timedelta(seconds=self.settings.lookup_backoff_seconds[-1])
        return Thresholds(
            lookup_backoff=last_look_up + timedelta(days=1),
            sweep_every=timedelta(seconds=self.settings.sweep_every_seconds),
        )

    @property
    def change_policy(self) -> ChangePolicy:
        """What the settings say about changes of subscriptions and charges."""
        from worker.changes.kind import ChangePolicy

        settings = self.settings
        return ChangePolicy(max_amount=settings.max_amount, refund_review_amount=settings.refund_review_amount)

    @property
    def notice_policy(self) -> NoticePolicy:
        """What the settings say about notices to customers."""
        from worker.domain.notices.quiet_hours import parse_quiet_hours
        from worker.domain.notices.texts import TEXTS
        from worker.notices.policy import NoticePolicy

        settings = self.settings
        return NoticePolicy(
            self.change_policy,
            parse_quiet_hours(settings.quiet_hours),
            texts=TEXTS if settings.notice_texts is None else settings.notice_texts.texts,
            account_url=settings.account_url,
        )

    def sync_clock(self) -> None:
        """Set a database's clock by the database, in the sandbox as it was turned; another clock stays as it is."""
        if isinstance(self.clock, DatabaseClock):
            # A database that is not migrated cannot say by how much, and one that charges real money is not asked.
            self.clock.follows_turns = not self.settings.live and migrations.current(self.engine) == migrations.newest()
            self.clock.sync(self.engine)

    def verify_database(self) -> None:
        """Raise WrongDatabase when the database has charged in another mode or under another prefix."""
        with self.sessions() as session:
            verify(session, self.hold_policy)

    def close(self) -> None:
        self.engine.dispose()


def check_database(runtime: Runtime) -> None:
    """Reach the database, set the clock by it, and compare its tables and its past with this version and its settings.

    Raises NotAvailable for other tables than this version's, WrongDatabase for a database that has charged in another
    mode or under another prefix, and what SQLAlchemy raises when it does not answer.
    """
    runtime.sync_clock()
    if migrations.current(runtime.engine) != migrations.newest():
        raise NotAvailable("The database does not have the tables of this version of Again: run `again migrate`.")
    runtime.verify_database()


@contextmanager
def open_runtime(
    settings: Settings | None = None,
    *,
    actor: str,
    database_url: str | None = None,
    check: Callable[[Runtime], None] = check_database,
    tell_clock: Callable[[timedelta], None] = warn,
) -> Iterator[Runtime]:
    """Open the runtime of one process on the database's clock, and close it at the end.

    Without `settings` they are read from the environment; without `database_url` the configured database is taken, or
    the embedded one, which is started for as long as this lasts. `actor` is what the audit records as who did it, and
    `tell_clock` is called with how far the database's clock is ahead. Raises InvalidSettings, NotAvailable for a
    database that there is not, and what `check` raises.
    """
    settings = effective_settings() if settings is None else settings
    with ExitStack() as stack:
        url = database_url or stack.enter_context(database_address(settings))
        clock = DatabaseClock(tell=tell_clock, follows_turns=not settings.live)
        runtime = Runtime.create(settings, url, actor=actor, clock=clock)
        stack.callback(runtime.close)
        check(runtime)
        yield runtime
