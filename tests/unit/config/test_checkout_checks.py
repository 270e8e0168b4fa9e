"""Settings of the checkout pages: what cannot be right is refused, and what live pages lack is named at once."""

from __future__ import annotations

import pytest

from worker.config.settings import DEFAULT_CHECKOUT_URL, InvalidSettings, Settings

LIVE = {
    "AGAIN_PORTONE_KEY": "key",
    "AGAIN_PORTONE_SECRET": "secret",
    "AGAIN_DATABASE_URL": "postgresql://a@b/c",
    "AGAIN_BROKER_URL": "redis://b/0",
}


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("AGAIN_CHECKOUT_SECRET", "short", "at least 32 characters"),
        ("AGAIN_CHECKOUT_URL", "http://pay.example.com", "https://"),
        ("AGAIN_CHECKOUT_URL", "https://pay.example.com/?a=b", "https://"),
        ("AGAIN_WEBHOOK_ADDRESSES", "52.78.100.19,everyone", "IP addresses or networks"),
        ("AGAIN_TRUSTED_PROXIES", "10.0.0.1/8", "IP addresses or networks"),  # a host within a network: which is meant?
        ("AGAIN_SDK_URL", "https://cdn.example.com/iamport.js", "PortOne's script"),  # with a live key
        ("AGAIN_SDK_URL", "javascript:alert(1)", "address of a script"),
        ("AGAIN_IMP_CODE", "imp 1", "AGAIN_IMP_CODE"),
    ],
)
def test_invalid_settings_of_the_pages_are_refused(variable: str, value: str, said: str):
    with pytest.raises(InvalidSettings, match=said):
        Settings.from_env({**LIVE, variable: value})


@pytest.mark.parametrize(
    ("signs_links", "missing"),
    [
        (True, ("AGAIN_CHECKOUT_URL", "AGAIN_IMP_CODE", "AGAIN_CHECKOUT_SECRET")),
        (False, ("AGAIN_CHECKOUT_URL", "AGAIN_IMP_CODE")),
    ],
)
def test_live_pages_without_settings_are_told_everything_at_once(signs_links: bool, missing: tuple[str, ...]):
    with pytest.raises(InvalidSettings) as refused:
        Settings.from_env(LIVE).require_pages(signs_links=signs_links)
    assert [line.split()[1].strip(",") for line in str(refused.value).splitlines()] == list(missing)


def test_sandbox_pages_need_no_settings():
    settings = Settings.from_env({})
    settings.require_pages(signs_links=True)
    assert settings.pages_url == DEFAULT_CHECKOUT_URL


def test_live_pages_url_without_its_setting_is_refused():
    with pytest.raises(InvalidSettings, match="AGAIN_CHECKOUT_URL"):
        _ = Settings.from_env(LIVE).pages_url
