"""The types of settings that texts become: lists, seconds, channels, networks, the texts and the rules of files."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from worker.config.checkout_checks import networks
from worker.config.decline_packs import DeclineFile, decline_file
from worker.config.notice_texts import NoticeTexts, notice_texts
from worker.domain.merchant_uid import PREFIX
from worker.pg.channels import key_channels, payment_channels


def comma_list(value: object) -> object:
    """Return the parts of a text between its commas; any other value as it is."""
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


def prefix(value: str) -> str:
    """Validate what every merchant_uid begins with. Raises ValueError."""
    if PREFIX.fullmatch(value) is None:
        raise ValueError("must be 1 to 8 lower-case letters and digits, a letter first")
    return value


def rising(value: tuple[float, ...]) -> tuple[float, ...]:
    """Validate waiting times, each longer than the one before. Raises ValueError."""
    if list(value) != sorted(set(value)) or not value or value[0] <= 0:
        raise ValueError("must be rising numbers above 0")
    return value


KeyChannels = Annotated[tuple[str, ...], BeforeValidator(comma_list), AfterValidator(key_channels)]
PaymentChannels = Annotated[tuple[str, ...], BeforeValidator(comma_list), AfterValidator(payment_channels)]
DeclineRuleFile = Annotated[DeclineFile, BeforeValidator(decline_file)]
NoticeFile = Annotated[NoticeTexts, BeforeValidator(notice_texts)]
Networks = Annotated[tuple[str, ...], BeforeValidator(comma_list), AfterValidator(networks)]
Seconds = Annotated[float, Field(gt=0, le=366 * 86_400, allow_inf_nan=False)]
