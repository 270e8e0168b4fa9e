"""Everything that can be configured, read from the environment once and checked as a whole.

Nothing else reads the environment. Defaults exist only where a wrong default cannot cost money.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

from schedules.plans import GateMode
from worker.config.checkout_checks import (
    LIVE_SDK_URL,
    PORTONE_ADDRESSES,
    URL_IS_MISSING,
    base_address,
    missing_for_pages,
    script_address,
)
from worker.config.contradictions import contradictions
from worker.config.event_checks import account_page, queue_name, quiet_times, task_name
from worker.config.portone_url import LIVE_URL
from worker.config.setting_problems import sentences, unknown_variables
from worker.config.setting_types import (
    DeclineRuleFile,
    KeyChannels,
    Networks,
    NoticeFile,
    PaymentChannels,
    Seconds,
    comma_list,
    prefix,
    rising,
)
from worker.config.tracing import traces_to

DEFAULT_SANDBOX_URL = "http://127.0.0.1:9101"
DEFAULT_CHECKOUT_URL = "http://127.0.0.1:9102"
FASTEST_SWEEP = 100  # requests per second; a sandbox need not be spared


class InvalidSettings(ValueError):
    """The settings do not work; the message lists every problem with its variable and what is expected."""


def inherited_environment() -> dict[str, str]:
    """Return this process's environment for a child, without our settings, some of which are secrets."""
    return {name: value for name, value in os.environ.items() if not name.startswith("AGAIN_")}


class Settings(BaseModel):
    """One field per variable: AGAIN_ and the field's name in capitals. `.env.example` documents each."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    database_url: SecretStr | None = None
    broker_url: SecretStr | None = None
    data_dir: Path = Path(".again")

    portone_key: SecretStr | None = None
    portone_secret: SecretStr | None = None
    portone_url: str = LIVE_URL
    sandbox_url: str | None = None
    merchant_uid_prefix: Annotated[str, AfterValidator(prefix)] = "again"

    max_in_flight: Annotated[int, Field(ge=1, le=5000)] = 200
    claim_chunk: Annotated[int, Field(ge=1, le=1000)] = 200
    pump_seconds: Seconds = 20
    tick_seconds: Seconds | None = None
    catch_up_limit: Annotated[int, Field(ge=1, le=1000)] = 12
    max_amount: Annotated[int, Field(ge=100)] = 2_000_000
    consent_gate: GateMode = GateMode.WARN
    refund_review_amount: Annotated[int, Field(ge=1)] | None = None
    max_run_charges: Annotated[int, Field(ge=1)] = 50_000
    max_run_sum: Annotated[int, Field(ge=100)] = 2_000_000_000
    max_day_charges: Annotated[int, Field(ge=1)] = 1_000_000
    max_day_sum: Annotated[int, Field(ge=100)] = 20_000_000_000
    max_subscription_charges_per_day: Annotated[int, Field(ge=1, le=1000)] = 60

    connect_timeout_seconds: Seconds = 5
    read_timeout_seconds: Seconds = 65
    write_back_seconds: Seconds = 30
    quiet_period_seconds: Seconds = 1800
    lookup_backoff_seconds: Annotated[
        tuple[Seconds, ...], BeforeValidator(comma_list), AfterValidator(rising), Field(validate_default=True)
    ] = (300, 900, 1800, 3600, *(86_400 * day for day in range(1, 8)))
    not_charged_delay_seconds: Seconds = 60
    transient_delay_seconds: Seconds = 600
    decline_rules: DeclineRuleFile | None = None

    silence_before_hold_seconds: Seconds = 300
    sweep_every_seconds: Seconds = 86_400
    sweep_days: Annotated[int, Field(ge=2, le=3660)] = 31
    sweep_requests_per_second: Annotated[float, Field(gt=0, le=FASTEST_SWEEP)] = 2

    checkout_url: Annotated[str, AfterValidator(base_address)] | None = None
    checkout_secret: SecretStr | None = None
    checkout_seconds: Annotated[float, Field(ge=60, le=86_400)] = 1800
    link_seconds: Seconds = 3 * 86_400
    key_channels: KeyChannels = ("kakaopay", "payco")
    payment_channels: PaymentChannels = ("kakaopay", "payco")
    imp_code: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{0,40}$")] = ""
    sdk_url: Annotated[str, AfterValidator(script_address)] | None = None
    company_name: Annotated[str, Field(max_length=60)] = ""
    company_contact: Annotated[str, Field(max_length=120)] = ""
    webhook_addresses: Networks = PORTONE_ADDRESSES
    trusted_proxies: Networks = ()

    webhook_allowed_networks: Networks = ()
    events_days: Annotated[int, Field(ge=0, le=3660)] = 90
    events_task: Annotated[str, AfterValidator(task_name)] | None = None
    events_broker_url: SecretStr | None = None
    events_queue: Annotated[str, AfterValidator(queue_name)] | None = None
    smtp_url: SecretStr | None = None
    smtp_from: str | None = None
    alerts_to: str | None = None
    quiet_hours: Annotated[str, AfterValidator(quiet_times)] = "21:00-08:00"
    notice_texts: NoticeFile | None = None
    account_url: Annotated[str, AfterValidator(account_page)] | None = None
    traces: Annotated[str, AfterValidator(traces_to)] | None = None
    log_level: Annotated[str, Field(pattern="^(DEBUG|INFO|WARNING|ERROR)$")] = "INFO"

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the settings, or raise InvalidSettings with every problem at once."""
        source = os.environ if environ is None else environ
        given = {
            name: source[variable]
            for name in cls.model_fields
            if source.get(variable := f"AGAIN_{name.upper()}", "") != ""
        }
        problems = list(unknown_variables(source, (f"AGAIN_{name.upper()}" for name in cls.model_fields)))
        try:
            settings = cls.model_validate(given)
        except ValidationError as error:
            problems += sentences(error, given, cls.model_fields)
        if problems:
            raise InvalidSettings("\n".join(problems))
        return settings

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if problems := list(contradictions(self)):
            raise ValueError("\n".join(problems))
        return self

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment of a child process that gets exactly these settings, and `more`."""
        ours = {f"AGAIN_{name.upper()}": text for name in type(self).model_fields if (text := self._text(name))}
        return {**inherited_environment(), **ours, **more}

    def _text(self, name: str) -> str:
        value = getattr(self, name)
        if isinstance(value, SecretStr):
            return value.get_secret_value()
        if isinstance(value, tuple):
            return ",".join(map(str, value))
        return "" if value is None else str(value)

    def require_pages(self, *, signs_links: bool) -> None:
        """Raise InvalidSettings, naming everything at once that pages lack. With the sandbox they need nothing.

        `signs_links`: the pages are reached by signed links, and not by a host's own login.
        """
        missing = missing_for_pages(
            checkout_url=self.checkout_url,
            imp_code=self.imp_code,
            has_secret=self.checkout_secret is not None,
            signs_links=signs_links,
        )
        if self.live and (problems := list(missing)):
            raise InvalidSettings("\n".join(problems))

    @property
    def pages_url(self) -> str:
        """The public URL of the pages. Raises InvalidSettings when real money moves and it is not set."""
        if self.live and self.checkout_url is None:
            raise InvalidSettings(URL_IS_MISSING)
        return self.checkout_url or DEFAULT_CHECKOUT_URL

    @property
    def live(self) -> bool:
        """True when real money moves. No PortOne key means the sandbox."""
        return self.portone_key is not None

    @property
    def gateway_url(self) -> str:
        return self.portone_url if self.live else self.sandbox_url or DEFAULT_SANDBOX_URL

    @property
    def script_url(self) -> str:
        """Where browsers load PortOne's script from, or the sandbox's."""
        return LIVE_SDK_URL if self.live else self.sdk_url or f"{self.gateway_url}/v1/iamport.js"

    @property
    def gateway_credentials(self) -> tuple[str, str]:
        if self.portone_key is None or self.portone_secret is None:
            return "sandbox", "sandbox"
        return self.portone_key.get_secret_value(), self.portone_secret.get_secret_value()

    @property
    def mode(self) -> str:
        return "live" if self.live else "sandbox"

    @property
    def tick(self) -> timedelta | None:
        """The longest interval of beat's table; None leaves the table as it is."""
        return None if self.tick_seconds is None else timedelta(seconds=self.tick_seconds)

    @property
    def call_deadline(self) -> timedelta:
        """The longest one charge call may take in all, one repeat after a 401 included."""
        return timedelta(seconds=self.connect_timeout_seconds + self.read_timeout_seconds)

    @property
    def lease(self) -> timedelta:
        """How long a claimed attempt belongs to its worker; after that it counts as abandoned."""
        return self.call_deadline + timedelta(seconds=self.write_back_seconds)

    @property
    def gap(self) -> timedelta:
        """After such a silence of all workers, the database may have been restored; a drain is shorter."""
        return max(timedelta(seconds=self.silence_before_hold_seconds), 2 * self.lease)

    @property
    def quiet_period(self) -> timedelta:
        return timedelta(seconds=self.quiet_period_seconds)
