"""Settings come from variables, are checked as a whole, and show no secret."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from schedules.plans import GateMode
from worker.config.decline_packs import decline_file
from worker.config.notice_texts import notice_texts
from worker.config.setting_problems import RENAMED
from worker.config.settings import DEFAULT_SANDBOX_URL, InvalidSettings, Settings

PAIR = {"AGAIN_PORTONE_KEY": "imp-key-1234", "AGAIN_PORTONE_SECRET": "imp-secret-5678"}
LIVE = {**PAIR, "AGAIN_DATABASE_URL": "postgresql://again:db-password@db/again"}
SECRETS = {
    **LIVE,
    "AGAIN_BROKER_URL": "redis://:broker-password@broker/0",
}

TASK = {"AGAIN_EVENTS_TASK": "shop.on_event"}

MAIL = {"AGAIN_SMTP_URL": "smtp://mail.example", "AGAIN_SMTP_FROM": "billing@shop.example"}

OWN_TEXTS = str(Path(__file__).parents[2] / "support" / "notice_texts.toml")
OWN_RULES = str(Path(__file__).parents[2] / "support" / "decline_rules.toml")

EVERY_VARIABLE = [
    # variable, what is written, what is read
    ("AGAIN_DATABASE_URL", "postgresql://db/again", "postgresql://db/again"),
    ("AGAIN_BROKER_URL", "redis://broker/0", "redis://broker/0"),
    ("AGAIN_DATA_DIR", "/var/lib/again", Path("/var/lib/again")),
    ("AGAIN_PORTONE_KEY", "imp-key-1234", "imp-key-1234"),
    ("AGAIN_PORTONE_SECRET", "imp-secret-5678", "imp-secret-5678"),
    ("AGAIN_PORTONE_URL", "https://static-api.iamport.kr", "https://static-api.iamport.kr"),
    ("AGAIN_SANDBOX_URL", "http://127.0.0.1:9999", "http://127.0.0.1:9999"),
    ("AGAIN_MERCHANT_UID_PREFIX", "stage2", "stage2"),
    ("AGAIN_MAX_IN_FLIGHT", "1000", 1000),
    ("AGAIN_CLAIM_CHUNK", "50", 50),
    ("AGAIN_PUMP_SECONDS", "5", 5.0),
    ("AGAIN_TICK_SECONDS", "0.5", 0.5),
    ("AGAIN_CATCH_UP_LIMIT", "3", 3),
    ("AGAIN_MAX_AMOUNT", "50000", 50_000),
    ("AGAIN_CONSENT_GATE", "strict", GateMode.STRICT),
    ("AGAIN_REFUND_REVIEW_AMOUNT", "100000", 100_000),
    ("AGAIN_MAX_RUN_CHARGES", "200", 200),
    ("AGAIN_MAX_RUN_SUM", "5000000", 5_000_000),
    ("AGAIN_MAX_DAY_CHARGES", "1000", 1000),
    ("AGAIN_MAX_DAY_SUM", "50000000", 50_000_000),
    ("AGAIN_MAX_SUBSCRIPTION_CHARGES_PER_DAY", "3", 3),
    ("AGAIN_CONNECT_TIMEOUT_SECONDS", "2.5", 2.5),
    ("AGAIN_READ_TIMEOUT_SECONDS", "90", 90.0),
    ("AGAIN_WRITE_BACK_SECONDS", "10", 10.0),
    ("AGAIN_QUIET_PERIOD_SECONDS", "3600", 3600.0),
    ("AGAIN_LOOKUP_BACKOFF_SECONDS", "60, 600,7200", (60.0, 600.0, 7200.0)),
    ("AGAIN_NOT_CHARGED_DELAY_SECONDS", "30", 30.0),
    ("AGAIN_TRANSIENT_DELAY_SECONDS", "300", 300.0),
    ("AGAIN_SILENCE_BEFORE_HOLD_SECONDS", "600", 600.0),
    ("AGAIN_SWEEP_EVERY_SECONDS", "3600", 3600.0),
    ("AGAIN_SWEEP_DAYS", "90", 90),
    ("AGAIN_SWEEP_REQUESTS_PER_SECOND", "0.5", 0.5),
    ("AGAIN_CHECKOUT_SECONDS", "600", 600.0),
    ("AGAIN_LINK_SECONDS", "3600", 3600.0),
    ("AGAIN_KEY_CHANNELS", "payco, kakaopay.CA0123", ("payco", "kakaopay.CA0123")),
    ("AGAIN_PAYMENT_CHANNELS", "kakaopay=channel-key-1", ("kakaopay=channel-key-1",)),
    ("AGAIN_CHECKOUT_URL", "https://pay.example.com/", "https://pay.example.com"),
    ("AGAIN_CHECKOUT_SECRET", "0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdef"),
    ("AGAIN_IMP_CODE", "imp12345678", "imp12345678"),
    ("AGAIN_SDK_URL", "https://cdn.iamport.kr/v1/iamport.js", "https://cdn.iamport.kr/v1/iamport.js"),
    ("AGAIN_COMPANY_NAME", "아침편지 주식회사", "아침편지 주식회사"),
    ("AGAIN_COMPANY_CONTACT", "help@letter.example", "help@letter.example"),
    ("AGAIN_WEBHOOK_ADDRESSES", "52.78.5.241, 192.0.2.0/24", ("52.78.5.241", "192.0.2.0/24")),
    ("AGAIN_TRUSTED_PROXIES", "10.0.0.1", ("10.0.0.1",)),
    ("AGAIN_WEBHOOK_ALLOWED_NETWORKS", "10.0.0.0/8, fd00::/8", ("10.0.0.0/8", "fd00::/8")),
    ("AGAIN_EVENTS_DAYS", "0", 0),
    ("AGAIN_EVENTS_TASK", "shop.tasks.on_event", "shop.tasks.on_event"),
    ("AGAIN_EVENTS_BROKER_URL", "amqp://shop/", "amqp://shop/"),
    ("AGAIN_EVENTS_QUEUE", "events", "events"),
    ("AGAIN_TRACES", "otlp", "otlp"),
    ("AGAIN_SMTP_URL", "smtp://mail.example", "smtp://mail.example"),
    ("AGAIN_SMTP_FROM", "billing@shop.example", "billing@shop.example"),
    ("AGAIN_ALERTS_TO", "ops@shop.example", "ops@shop.example"),
    ("AGAIN_QUIET_HOURS", "22:00-07:30", "22:00-07:30"),
    ("AGAIN_NOTICE_TEXTS", OWN_TEXTS, notice_texts(OWN_TEXTS)),
    ("AGAIN_DECLINE_RULES", OWN_RULES, decline_file(OWN_RULES)),
    ("AGAIN_ACCOUNT_URL", "https://shop.example/a/{subscription}", "https://shop.example/a/{subscription}"),
    ("AGAIN_LOG_LEVEL", "DEBUG", "DEBUG"),
]


def test_default_settings_are_a_sandbox_with_careful_timeouts():
    settings = Settings.from_env({})
    assert not settings.live
    assert settings.gateway_url == DEFAULT_SANDBOX_URL
    assert settings.gateway_credentials == ("sandbox", "sandbox")
    assert settings.call_deadline == timedelta(seconds=70)
    assert settings.lease == timedelta(seconds=100)
    assert settings.quiet_period == timedelta(minutes=30)
    assert settings.lookup_backoff_seconds[:4] == (300, 900, 1800, 3600)
    assert settings.lookup_backoff_seconds[-1] == timedelta(days=7).total_seconds()


def test_settings_are_all_in_the_table_above():
    assert {f"AGAIN_{name.upper()}" for name in Settings.model_fields} == {row[0] for row in EVERY_VARIABLE}


@pytest.mark.parametrize(("variable", "written", "read"), EVERY_VARIABLE)
def test_variables_are_read(variable, written, read):
    pair = LIVE if variable.startswith("AGAIN_PORTONE_") else {}
    pair = TASK if variable.startswith("AGAIN_EVENTS_") else pair
    pair = MAIL if variable.startswith(("AGAIN_SMTP_", "AGAIN_ALERTS_")) else pair
    settings = Settings.from_env({**pair, variable: written})
    value = getattr(settings, variable.removeprefix("AGAIN_").lower())
    assert (value.get_secret_value() if hasattr(value, "get_secret_value") else value) == read


def test_empty_variable_counts_as_unset_and_foreign_ones_are_ignored():
    environ = {
        "AGAIN_MAX_IN_FLIGHT": "",
        "AGAIN_NOTHING": "",
        "AGAIN_PORTONE_KEY": "",
        "AGAIN_PORTONE_SECRET": "",
        "WINDOW": "3",
        "PATH": "/bin",
    }
    assert Settings.from_env(environ) == Settings()


def test_a_key_means_real_money():
    settings = Settings.from_env({**LIVE, "AGAIN_SANDBOX_URL": "http://127.0.0.1:1"})
    assert settings.live
    assert settings.gateway_url == "https://api.iamport.kr"
    assert settings.gateway_credentials == ("imp-key-1234", "imp-secret-5678")


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"AGAIN_MAX_IN_FLIGHT": "many"}, "AGAIN_MAX_IN_FLIGHT is many but must be a whole number, 1 to 5000. See"),
        ({"AGAIN_TRACES": "jaeger"}, "AGAIN_TRACES: must be otlp, or empty for no traces. See"),
        ({"AGAIN_MAX_IN_FLIGHT": "0"}, "AGAIN_MAX_IN_FLIGHT is 0 but must be a whole number, 1 to 5000. See"),
        ({"AGAIN_MAX_IN_FLIGHT": "5001"}, "AGAIN_MAX_IN_FLIGHT is 5001 but must be"),
        ({"AGAIN_CLAIM_CHUNK": "0"}, "AGAIN_CLAIM_CHUNK is 0 but"),
        ({"AGAIN_CATCH_UP_LIMIT": "-1"}, "AGAIN_CATCH_UP_LIMIT is -1 but"),
        ({"AGAIN_MAX_AMOUNT": "99"}, "AGAIN_MAX_AMOUNT is 99 but must be a whole number, 100 or more"),
        ({"AGAIN_MERCHANT_UID_PREFIX": "Again"}, "AGAIN_MERCHANT_UID_PREFIX: must be 1 to 8 lower-case letters"),
        ({"AGAIN_MERCHANT_UID_PREFIX": "9again"}, "AGAIN_MERCHANT_UID_PREFIX: "),
        ({"AGAIN_MERCHANT_UID_PREFIX": "again-1"}, "AGAIN_MERCHANT_UID_PREFIX: "),
        ({"AGAIN_LOG_LEVEL": "debug"}, "AGAIN_LOG_LEVEL: "),
        (
            {"AGAIN_KEY_CHANNELS": "payco,kcp"},
            "AGAIN_KEY_CHANNELS: NHN KCP registers no billing keys in a window, as far as is documented. See",
        ),
        ({"AGAIN_PAYMENT_CHANNELS": "kcp_billing"}, "AGAIN_PAYMENT_CHANNELS: NHN KCP (billing) has no window for"),
        # a comparison that leaves out what was paid since the last one
        ({"AGAIN_SWEEP_DAYS": "1"}, "AGAIN_SWEEP_DAYS is 1 but must be"),
        ({"AGAIN_SWEEP_DAYS": "7", "AGAIN_SWEEP_EVERY_SECONDS": "604800"}, "AGAIN_SWEEP_DAYS must be a day more"),
        # seconds
        (
            {"AGAIN_READ_TIMEOUT_SECONDS": "0"},
            "AGAIN_READ_TIMEOUT_SECONDS is 0 but must be a number above 0, at most 31622400",
        ),
        ({"AGAIN_READ_TIMEOUT_SECONDS": "65s"}, "AGAIN_READ_TIMEOUT_SECONDS is 65s but"),
        ({"AGAIN_READ_TIMEOUT_SECONDS": "inf"}, "AGAIN_READ_TIMEOUT_SECONDS is inf but"),
        ({"AGAIN_QUIET_PERIOD_SECONDS": "nan"}, "AGAIN_QUIET_PERIOD_SECONDS is nan but"),
        ({"AGAIN_WRITE_BACK_SECONDS": "1e300"}, "AGAIN_WRITE_BACK_SECONDS is 1e300 but"),
        # the look-up backoff
        ({"AGAIN_LOOKUP_BACKOFF_SECONDS": "300,300"}, "AGAIN_LOOKUP_BACKOFF_SECONDS: must be rising numbers above 0"),
        ({"AGAIN_LOOKUP_BACKOFF_SECONDS": "900,300"}, "AGAIN_LOOKUP_BACKOFF_SECONDS: "),
        ({"AGAIN_LOOKUP_BACKOFF_SECONDS": "0,300"}, "AGAIN_LOOKUP_BACKOFF_SECONDS: "),
        ({"AGAIN_LOOKUP_BACKOFF_SECONDS": "300,,900"}, "AGAIN_LOOKUP_BACKOFF_SECONDS: "),
        ({"AGAIN_LOOKUP_BACKOFF_SECONDS": "300,nan"}, "AGAIN_LOOKUP_BACKOFF_SECONDS: "),
        ({"AGAIN_LOOKUP_BACKOFF_SECONDS": " "}, "AGAIN_LOOKUP_BACKOFF_SECONDS: "),
        # names that are none
        ({"AGAIN_MAX_INFLIGHT": "3"}, "AGAIN_MAX_INFLIGHT is no setting of Again; did you mean AGAIN_MAX_IN_FLIGHT?"),
        ({"AGAIN_DATABSE_URL": "postgresql://x"}, "did you mean AGAIN_DATABASE_URL?"),
        ({"AGAIN_ZZZ": "3"}, "AGAIN_ZZZ is no setting of Again. See .env.example."),
        # what has to fit together
        (PAIR, "With a live key set AGAIN_DATABASE_URL (and AGAIN_BROKER_URL)"),
        ({"AGAIN_PORTONE_KEY": "k"}, "go together: set both, or neither"),
        ({"AGAIN_PORTONE_SECRET": "s"}, "go together: set both, or neither"),
        ({**LIVE, "AGAIN_PORTONE_URL": "http://api.iamport.kr"}, "AGAIN_PORTONE_URL must begin with https://"),
        # a live key with what is not PortOne
        (
            {**LIVE, "AGAIN_PORTONE_URL": "https://127.0.0.1:9101"},
            "must be PortOne's own address when AGAIN_PORTONE_KEY",
        ),
        ({**LIVE, "AGAIN_PORTONE_URL": "https://localhost"}, "must be PortOne's own address"),
        ({**LIVE, "AGAIN_PORTONE_URL": "https://10.0.0.8"}, "must be PortOne's own address"),
        ({**LIVE, "AGAIN_PORTONE_URL": "https://gateway.corp.example"}, "must be PortOne's own address"),
        ({**LIVE, "AGAIN_PORTONE_URL": "https://api.iamport.kr.example.com"}, "must be PortOne's own address"),
        ({**LIVE, "AGAIN_PORTONE_URL": "https://notiamport.kr"}, "must be PortOne's own address"),
        ({**LIVE, "AGAIN_PORTONE_URL": "https://api.iamport.kr@evil.example"}, "must be PortOne's own address"),
        ({**LIVE, "AGAIN_PORTONE_URL": "https://evil.example\\@api.iamport.kr"}, "must be PortOne's own address"),
        ({**LIVE, "AGAIN_PORTONE_URL": "https://api.iamport.kr/proxy?to=me"}, "must be PortOne's own address"),
        ({**LIVE, "AGAIN_PORTONE_URL": "https://[nonsense"}, "must be PortOne's own address"),
        # the sandbox where PortOne is, with and without a key
        ({"AGAIN_SANDBOX_URL": "https://api.iamport.kr"}, "AGAIN_SANDBOX_URL must not be an address of PortOne"),
        ({"AGAIN_SANDBOX_URL": "http://API.IAMPORT.KR.:80/"}, "AGAIN_SANDBOX_URL must not be"),
        ({"AGAIN_SANDBOX_URL": "https://portone.io"}, "AGAIN_SANDBOX_URL must not be"),
        ({"AGAIN_SANDBOX_URL": "https://api.portone.io"}, "AGAIN_SANDBOX_URL must not be"),
        ({**LIVE, "AGAIN_SANDBOX_URL": "https://api.iamport.kr"}, "AGAIN_SANDBOX_URL must not be"),
        # a key that was forgotten
        ({"AGAIN_PORTONE_URL": "https://static-api.iamport.kr"}, "without a key Again uses the sandbox: set"),
        ({"AGAIN_PORTONE_URL": "http://127.0.0.1:9101"}, "AGAIN_PORTONE_URL is set but AGAIN_PORTONE_KEY is not"),
        # the broker's address
        ({"AGAIN_BROKER_URL": "redis://:half/of-a-password@broker"}, "AGAIN_BROKER_URL cannot be read; give redis://"),
        ({"AGAIN_BROKER_URL": "broker"}, "AGAIN_BROKER_URL cannot be read"),
        ({"AGAIN_BROKER_URL": "amqp://broker"}, "AGAIN_BROKER_URL cannot be read"),
        (
            {"AGAIN_BROKER_URL": "rediss://broker/0?ssl_cert_reqs=require"},
            "ssl_cert_reqs must be required (the default)",
        ),
        ({"AGAIN_BROKER_URL": "rediss://broker/0?ssl_cert_reqs=optional"}, "ssl_cert_reqs must be"),
        ({"AGAIN_BROKER_URL": "rediss://broker/0?ssl_check_hostname=no"}, "ssl_check_hostname must be true"),
        ({"AGAIN_BROKER_URL": "rediss://broker/0?ssl_password=x"}, "has ssl_password, which Again does not know; it"),
        ({"AGAIN_BROKER_URL": "redis://broker/0?ssl_cert_reqs=required"}, "so it must begin with rediss://"),
        ({"AGAIN_EVENTS_DAYS": "-1"}, "AGAIN_EVENTS_DAYS is -1 but must be a whole number, 0 to"),
        # the host's task
        ({"AGAIN_EVENTS_TASK": "no task"}, "AGAIN_EVENTS_TASK: must be the name of a Celery task"),
        ({"AGAIN_EVENTS_TASK": "again.charge"}, "AGAIN_EVENTS_TASK: must be a task of the host's"),
        ({"AGAIN_EVENTS_QUEUE": "events"}, "are for AGAIN_EVENTS_TASK, which is not set"),
        ({"AGAIN_SMTP_URL": "smtp://mail.example"}, "AGAIN_SMTP_URL and AGAIN_SMTP_FROM belong together"),
        ({"AGAIN_ALERTS_TO": "ops@shop.example"}, "AGAIN_ALERTS_TO needs AGAIN_SMTP_URL"),
        ({**MAIL, "AGAIN_ALERTS_TO": "ops"}, "AGAIN_ALERTS_TO must be an e-mail address"),
        ({**MAIL, "AGAIN_SMTP_FROM": "billing"}, "AGAIN_SMTP_FROM must be an e-mail address"),
        ({**MAIL, "AGAIN_SMTP_URL": "mail.example"}, "AGAIN_SMTP_URL must begin with smtp:// or smtps://"),
        ({"AGAIN_NOTICE_TEXTS": "/no/such.toml"}, "AGAIN_NOTICE_TEXTS: /no/such.toml cannot be read: No such file"),
        ({"AGAIN_DECLINE_RULES": "/no/such.toml"}, "AGAIN_DECLINE_RULES: /no/such.toml cannot be read: No such file"),
        ({"AGAIN_ACCOUNT_URL": "http://shop.example/"}, "AGAIN_ACCOUNT_URL: must be an https:// address"),
        ({"AGAIN_ACCOUNT_URL": "https://shop.example/{customer}"}, "AGAIN_ACCOUNT_URL: must be an https:// address"),
        ({"AGAIN_QUIET_HOURS": "22-7"}, "AGAIN_QUIET_HOURS: must be two times such as 21:00-08:00, or none"),
        ({**TASK, "AGAIN_EVENTS_QUEUE": "two words"}, "AGAIN_EVENTS_QUEUE: must be the name of a queue"),
        ({**TASK, "AGAIN_EVENTS_QUEUE": "again"}, "AGAIN_EVENTS_QUEUE must not be again on Again's own broker"),
        ({**TASK, "AGAIN_EVENTS_BROKER_URL": "kafka://x"}, "AGAIN_EVENTS_BROKER_URL cannot be read; give redis://, "),
        ({**TASK, "AGAIN_EVENTS_BROKER_URL": "redis://h/x"}, "AGAIN_EVENTS_BROKER_URL ends in '/x'"),
        ({**TASK, "AGAIN_EVENTS_BROKER_URL": "amqp://h:port/"}, "AGAIN_EVENTS_BROKER_URL cannot be read"),
        ({"AGAIN_WEBHOOK_ALLOWED_NETWORKS": "shop.internal"}, "AGAIN_WEBHOOK_ALLOWED_NETWORKS: must be IP addresses"),
        ({"AGAIN_QUIET_PERIOD_SECONDS": "200"}, "must exceed twice the lease of an attempt (200, from the time-outs)"),
        ({"AGAIN_READ_TIMEOUT_SECONDS": "900"}, "must exceed twice the lease of an attempt (1870, from"),
        ({**LIVE, "AGAIN_QUIET_PERIOD_SECONDS": "1199"}, "must be at least 1200 when AGAIN_PORTONE_KEY is set"),
        ({"AGAIN_LOOKUP_BACKOFF_SECONDS": "300,1799"}, "AGAIN_LOOKUP_BACKOFF_SECONDS must reach to the end of"),
        ({"AGAIN_QUIET_PERIOD_SECONDS": "604801"}, "AGAIN_LOOKUP_BACKOFF_SECONDS must reach to the end of"),
    ],
)
def test_invalid_setting_is_refused_in_words(environ, says):
    with pytest.raises(InvalidSettings) as refused:
        Settings.from_env(environ)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    "environ",
    [
        {"AGAIN_QUIET_PERIOD_SECONDS": "200.5"},  # just above twice the lease: enough for a sandbox
        {**LIVE, "AGAIN_QUIET_PERIOD_SECONDS": "1200"},
        {"AGAIN_LOOKUP_BACKOFF_SECONDS": "1800"},  # one look-up, when it is quiet
        {**LIVE, "AGAIN_PORTONE_URL": "https://api.iamport.kr/"},
        {**LIVE, "AGAIN_PORTONE_URL": "https://static-api.iamport.kr"},  # seen in client code
        {"AGAIN_PORTONE_URL": "https://api.iamport.kr"},  # the default, written out
        {"AGAIN_SANDBOX_URL": "http://iamport.kr.example.com:9101"},  # no host of PortOne's
        {"AGAIN_SANDBOX_URL": "http://sandbox:9101"},
        {"AGAIN_BROKER_URL": "rediss://:p@broker/0?ssl_cert_reqs=CERT_REQUIRED&ssl_ca_certs=/ca.pem"},
    ],
)
def test_the_bounds_themselves_are_allowed(environ):
    assert Settings.from_env(environ)


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_renamed_setting_is_answered_with_its_new_name(old: str, new: str):
    assert new.removeprefix("AGAIN_").lower() in Settings.model_fields
    assert old.removeprefix("AGAIN_").lower() not in Settings.model_fields
    with pytest.raises(InvalidSettings) as refused:
        Settings.from_env({old: "300"})
    assert str(refused.value) == f"{old} is now called {new}. See .env.example."


def test_all_problems_of_settings_are_reported_at_once():
    unreadable = {
        "AGAIN_MAX_IN_FLIGHT": "x",
        "AGAIN_MAX_AMOUNT": "1",
        "AGAIN_LOOKUP_BACKOFF_SECONDS": "2,1",
        "AGAIN_LOG_LEVEL": "x",
    }
    unreadable |= {"AGAIN_NOTHING": "x"}
    with pytest.raises(InvalidSettings) as refused:
        Settings.from_env(unreadable)
    lines = str(refused.value).splitlines()
    assert sorted(line.split()[0].rstrip(":") for line in lines) == sorted(unreadable)
    assert all(line.endswith("See .env.example.") for line in lines)


def test_all_contradictions_are_reported_at_once():
    misfits = {
        "AGAIN_PORTONE_KEY": "k",
        "AGAIN_PORTONE_URL": "http://x",
        "AGAIN_QUIET_PERIOD_SECONDS": "100",
        "AGAIN_LOOKUP_BACKOFF_SECONDS": "50",
    }
    with pytest.raises(InvalidSettings) as refused:
        Settings.from_env(misfits)
    assert len(str(refused.value).splitlines()) == 6


@pytest.mark.parametrize("wrong", [{}, {"AGAIN_MAX_IN_FLIGHT": "x"}, {"AGAIN_QUIET_PERIOD_SECONDS": "1"}])
def test_secrets_show_neither_in_settings_nor_in_their_problems(wrong):
    try:
        settings = Settings.from_env(SECRETS | wrong)
        shown = f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
        assert not wrong
    except InvalidSettings as problem:
        shown = f"{problem!r} {problem} {problem.__cause__!r}"
        assert wrong
    for secret in ("imp-key-1234", "imp-secret-5678", "db-password", "broker-password"):
        assert secret not in shown


def test_a_settings_object_cannot_be_changed_and_has_no_unknown_field():
    settings = Settings.from_env({})
    with pytest.raises(ValueError, match="frozen"):
        settings.max_in_flight = 1
    with pytest.raises(ValueError, match="Extra inputs"):
        Settings.model_validate({"windows": 1})


def test_a_child_process_gets_exactly_these_settings(monkeypatch):
    monkeypatch.setenv("AGAIN_MAX_IN_FLIGHT", "7")
    monkeypatch.setenv("LANG", "ko_KR.UTF-8")
    settings = Settings.from_env({variable: written for variable, written, _ in EVERY_VARIABLE})
    environment = settings.environment(AGAIN_LOG_LEVEL="ERROR")
    assert environment["LANG"] == "ko_KR.UTF-8"
    assert Settings.from_env(environment) == settings.model_copy(update={"log_level": "ERROR"})
    assert Settings.from_env(Settings().environment()) == Settings()


@pytest.mark.parametrize(
    "secret",
    [
        "a" * 32,
        " " * 32,
        "\n" * 40,
        "changeme" * 4,
        "password" * 5,
        "0123456789" * 4,
        "12345678" * 4,
        "abcdefghijklmno" * 3,
    ],
)
def test_repetitive_secret_is_refused_and_not_shown(secret: str):
    with pytest.raises(InvalidSettings, match="AGAIN_CHECKOUT_SECRET could be guessed") as refused:
        Settings.from_env({"AGAIN_CHECKOUT_SECRET": secret})
    assert secret not in str(refused.value)


@pytest.mark.parametrize(
    "address",
    [
        "https://shop.kr//evil.example",
        "https://shop.kr/a//b",
        "https://shop.kr//",
        "https://shop.kr/../x",
        "https://shop.kr/./a",
        "https://shop.kr/a/..",
        "https://shop.kr/#a",
        "https://shop.kr/?a=b",
    ],
)
def test_a_public_address_that_could_lead_elsewhere_is_refused(address: str):
    with pytest.raises(InvalidSettings, match="AGAIN_CHECKOUT_URL"):
        Settings.from_env({"AGAIN_CHECKOUT_URL": address})


@pytest.mark.parametrize("address", ["https://shop.kr", "https://shop.kr/", "https://shop.kr/billing/"])
def test_a_public_address_may_have_a_path(address: str):
    assert Settings.from_env({"AGAIN_CHECKOUT_URL": address}).checkout_url == address.rstrip("/")
