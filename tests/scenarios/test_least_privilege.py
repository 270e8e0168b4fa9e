"""deploy/roles.sql: the worker's role can do all that Again does, and nothing that Again never does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import make_url
from typer.testing import CliRunner

from tests.scenarios.checkout_story import Till
from tests.scenarios.conftest import World
from worker.cli.commands import app
from worker.database import migrations
from worker.database.session import create_database_engine
from worker.sandbox.behaviours import Reply, decline, pay, troubled

SCRIPT = (Path(__file__).parents[2] / "deploy" / "roles.sql").read_text()


def as_role(url: str, role: str) -> str:
    return make_url(url).set(username=role).render_as_string(hide_password=False)


def run_script(url: str, *, owner: str = "", worker: str = "") -> None:
    """Run it as the administrator does: as a superuser, with names of roles or without."""
    with psycopg.connect(url, autocommit=True) as connection:
        names = "SELECT set_config('again.owner', %s, false), set_config('again.worker', %s, false)"
        connection.execute(names, (owner, worker))
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


def again(database_url: str, *arguments: object, code: int = 0) -> str:
    environment = {"AGAIN_DATABASE_URL": database_url, "COLUMNS": "200"}
    result = CliRunner().invoke(app, [str(each) for each in arguments], env=environment)
    assert result.exit_code == code, (arguments, result.output)
    return result.stdout


def test_the_worker_tells_a_whole_story_of_charging(world: World, database_url: str):
    assert [row.current_user for row in world.sql("SELECT current_user, database_identity()")] == ["again_worker"]
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


def test_the_worker_tells_a_whole_story_of_checkouts(world: World):
    till = Till(world)
    subscription = till.pending()
    first = till.link(subscription, pg="kakaopay", with_payment=True)
    till.hint(till.webhook(till.approve(till.open(first))))
    another = till.link(subscription, pg="payco")
    till.complete(another, till.approve(till.open(another)))
    world.live(days=1)
    assert (till.status(first), till.status(another), till.keys()) == ("done", "done", ["deleted", "active"])
    world.assert_books_agree()


def test_the_worker_can_do_what_every_command_does(world: World, database_url: str, tmp_path: Path):
    world.plan()
    for uid in ("customer_uid_one_1", "customer_uid_two_2"):
        again(database_url, "key", "add", uid, "--pg", "kakaopay")
    again(database_url, "plan", "add", "gold", "--name", "Gold", "--amount", 9900, "--cadence", "month")
    start = datetime.now(UTC).date() + timedelta(days=2)
    again(database_url, "subscribe", "gildong", "--plan", "gold", "--key", "1", "--start", start)
    (code,) = (row.code for row in world.sql("SELECT code FROM subscriptions"))
    again(database_url, "subscription", "pause", code)
    again(database_url, "subscription", "resume", code)
    again(database_url, "subscription", "key", code, "2")
    again(database_url, "stop", "--reason", "audit")
    again(database_url, "start")
    again(database_url, "status")
    again(database_url, "charge", "list")
    again(database_url, "subscription", "cancel", code)
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
]


def test_the_worker_can_do_nothing_that_again_never_does(world: World):
    for statement in FORBIDDEN:
        with pytest.raises(Exception) as refused:
            world.sql(statement)
        assert isinstance(refused.value.__cause__, InsufficientPrivilege), statement


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


def test_it_runs_before_the_first_migration_with_names_of_its_own_and_spares_other_peoples_tables(administrator: str):
    with psycopg.connect(administrator, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE TABLE members (id bigint)")
        run_script(administrator, owner="books owner", worker="books'worker")
        engine = create_database_engine(as_role(administrator, "books owner"), actor="migration")
        migrations.upgrade(engine)
        engine.dispose()
        run_script(administrator, owner="books owner", worker="books'worker")
        owners = connection.execute(
            "SELECT relname, relowner::regrole::text FROM pg_class WHERE relname IN ('members', 'charges') ORDER BY 1"
        ).fetchall()
        assert owners == [("charges", '"books owner"'), ("members", "postgres")]
        seen = connection.execute("SELECT has_table_privilege('books''worker', 'members', 'SELECT')").fetchone()
        assert seen == (False,)


@pytest.mark.parametrize(
    ("owner", "worker", "says"),
    [
        ("again_owner", "again_owner", "must be two roles"),
        ("again_owner", "postgres", "may do more than a worker should"),  # a superuser
    ],
)
def test_a_role_that_could_not_be_narrowed_is_refused(administrator: str, owner: str, worker: str, says: str):
    with pytest.raises(psycopg.errors.RaiseException, match=says):
        run_script(administrator, owner=owner, worker=worker)
