"""Database and broker over TLS: a server with the right certificate is used, and no other is sent anything."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import kombu.exceptions
import pytest
from flower.utils.broker import Broker
from kombu.connection import Connection
from sqlalchemy import make_url
from sqlalchemy.exc import OperationalError
from typer.testing import CliRunner

from tests.support.tls import Certificate, certificate, tls_front
from worker.app import configuration
from worker.cli.commands import app as commands
from worker.config.settings import Settings
from worker.database.engine import create_database_engine
from worker.doctor import servers, tls
from worker.doctor.finding import CheckContext, Health
from worker.doctor.tls import VERIFYING, database_concern
from worker.runtime import Runtime

HERE = "DNS:localhost,IP:127.0.0.1"


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate(tmp_path_factory.mktemp("ours"), "ours", names=HERE)


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """For the same names, but of an authority that we do not trust."""
    return certificate(tmp_path_factory.mktemp("strangers"), "strangers", names=HERE)


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """Of an authority that we may trust, but for another host."""
    return certificate(tmp_path_factory.mktemp("elsewhere"), "elsewhere", names="DNS:elsewhere.example")


# --- the database -----------------------------------------------------------------------------------------------------


@pytest.fixture
def tls_database(database_url: str, ours: Certificate) -> Iterator[str]:
    """The address of this test's database through TLS, without sslmode."""
    address = make_url(database_url)
    socket = f"{address.query['host']}/.s.PGSQL.5432"
    with tls_front(ours, lambda: asyncio.open_unix_connection(socket), asked_first=True) as port:
        yield f"postgresql://{address.username}@127.0.0.1:{port}/{address.database}"


def test_the_database_is_reached_with_verify_full(tls_database: str, ours: Certificate):
    engine = create_database_engine(f"{tls_database}?sslmode=verify-full&sslrootcert={ours.path}", actor="test")
    with engine.connect() as connection:
        raw = connection.connection.driver_connection
        assert raw is not None
        assert raw.pgconn.ssl_in_use
        assert raw.info.get_parameters()["sslmode"] == VERIFYING
        assert database_concern(connection) == ""
        assert connection.exec_driver_sql("SELECT count(*) FROM charges").scalar() == 0
    engine.dispose()


def test_database_with_a_foreign_certificate_is_refused(tls_database: str, strangers: Certificate):
    engine = create_database_engine(f"{tls_database}?sslmode=verify-full&sslrootcert={strangers.path}", actor="test")
    with pytest.raises(OperationalError, match="certificate verify failed"):
        engine.connect()


def test_a_database_with_a_certificate_for_another_host_is_refused(database_url: str, elsewhere: Certificate):
    socket = f"{make_url(database_url).query['host']}/.s.PGSQL.5432"
    with tls_front(elsewhere, lambda: asyncio.open_unix_connection(socket), asked_first=True) as port:
        url = f"postgresql://postgres@127.0.0.1:{port}/again?sslmode=verify-full&sslrootcert={elsewhere.path}"
        with pytest.raises(OperationalError, match="does not match host name"):
            create_database_engine(url, actor="test").connect()


# --- the broker -------------------------------------------------------------------------------------------------------


@pytest.fixture
def tls_broker(valkey: str, ours: Certificate) -> Iterator[str]:
    """The address of the broker through TLS, without options."""
    parts = urlsplit(valkey)
    with tls_front(ours, lambda: asyncio.open_connection(parts.hostname, parts.port)) as port:
        yield f"rediss://{parts.netloc.rpartition('@')[0]}@127.0.0.1:{port}/0"


@pytest.fixture
def configured(database_url: str, monkeypatch: pytest.MonkeyPatch):
    """Give a function that configures Celery for a broker."""

    def configure(broker_url: str) -> dict[str, Any]:
        monkeypatch.setenv("AGAIN_DATABASE_URL", database_url)
        monkeypatch.setenv("AGAIN_BROKER_URL", broker_url)
        return configuration()

    return configure


def through_kombu(settings: dict[str, Any]) -> Connection:
    return Connection(
        settings["broker_url"],
        ssl=settings["broker_use_ssl"],
        transport_options=settings["broker_transport_options"],
    )


def refusal(settings: dict[str, Any]) -> str:
    """Say why a broker is not talked to."""
    with through_kombu(settings) as connection, pytest.raises(kombu.exceptions.OperationalError) as refused:
        connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
    return str(refused.value)


def test_celery_reaches_the_broker_over_tls(configured, tls_broker: str, ours: Certificate):
    settings = configured(f"{tls_broker}?ssl_cert_reqs=required&ssl_ca_certs={ours.path}")
    with through_kombu(settings) as connection, connection.SimpleQueue("tls") as queue:
        queue.put({"look": "now"})
        assert queue.get(timeout=60).payload == {"look": "now"}
        queue.clear()


@pytest.mark.parametrize("options", ["", "?ssl_cert_reqs=required"])
def test_broker_certificate_is_verified_by_default(configured, tls_broker: str, options):
    assert "CERTIFICATE_VERIFY_FAILED" in refusal(configured(tls_broker + options))


def test_broker_with_a_foreign_certificate_is_refused(configured, tls_broker: str, strangers: Certificate):
    assert "CERTIFICATE_VERIFY_FAILED" in refusal(configured(f"{tls_broker}?ssl_ca_certs={strangers.path}"))


def test_a_broker_with_a_certificate_for_another_host_is_refused(configured, valkey: str, elsewhere: Certificate):
    parts = urlsplit(valkey)
    with tls_front(elsewhere, lambda: asyncio.open_connection(parts.hostname, parts.port)) as port:
        said = refusal(configured(f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={elsewhere.path}"))
    assert "IP address mismatch" in said


def test_flower_reads_the_queues_over_tls(configured, tls_broker: str, ours: Certificate):
    settings = configured(f"{tls_broker}?ssl_ca_certs={ours.path}")
    broker = Broker(settings["broker_url"], broker_use_ssl=settings["broker_use_ssl"], broker_options={})
    assert asyncio.run(broker.queues(["again"]))[0]["name"] == "again"


def test_the_doctor_reaches_the_broker_over_tls(database_url: str, tls_broker: str, ours: Certificate):
    def found(options: str) -> dict[str, str]:
        environment = {"AGAIN_DATABASE_URL": database_url, "AGAIN_BROKER_URL": tls_broker + options}
        result = CliRunner().invoke(commands, ["doctor", "broker", "--json"], env=environment)
        [finding] = json.loads(result.stdout)
        return dict(finding)

    assert found(f"?ssl_ca_certs={ours.path}")["health"] == "ok"
    refused = found("")
    assert refused["health"] == "broken"
    assert "CERTIFICATE_VERIFY_FAILED" in refused["finding"]


def test_doctor_warns_of_unencrypted_connections_in_live_mode(
    database_url: str, valkey: str, monkeypatch: pytest.MonkeyPatch
):
    live = {"AGAIN_PORTONE_KEY": "k", "AGAIN_PORTONE_SECRET": "s", "AGAIN_DATABASE_URL": database_url}

    def health(environment: dict[str, str]) -> list[Health]:
        runtime = Runtime.create(Settings.from_env(environment), database_url, actor="test")
        context = CheckContext(runtime, valkey)
        findings = [servers.database(context), servers.broker(context)]
        runtime.close()
        return [finding.health for finding in findings]

    assert health(live) == [Health.OK, Health.OK]  # on this machine
    monkeypatch.setattr(tls, "_is_here", lambda _: False)  # as if they were on another
    assert health(live) == [Health.WARNING, Health.WARNING]
    assert health({}) == [Health.OK, Health.OK]
