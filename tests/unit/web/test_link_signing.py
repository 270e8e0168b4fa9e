"""A link opens one checkout, as long as it is exactly what we signed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.checkout import CheckoutLink
from worker.web.link_signing import InvalidLink, LinkSigner

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
LINK = CheckoutLink("8K3JD5W2QXN7A", NOW + timedelta(days=3))
SIGNER = LinkSigner("s" * 64)
TOKEN = SIGNER.token(LINK)


def test_signed_link_reads_back():
    assert SIGNER.read(TOKEN) == LINK


def test_link_has_expired_from_its_last_second_on():
    assert not LINK.has_expired(LINK.expires_at - timedelta(seconds=1))
    assert LINK.has_expired(LINK.expires_at)


@given(place=st.integers(0, len(TOKEN) - 1), character=st.characters(min_codepoint=33, max_codepoint=126))
def test_link_with_one_changed_character_is_refused(place: int, character: str):
    changed = TOKEN[:place] + character + TOKEN[place + 1 :]
    if changed == TOKEN:
        return
    with pytest.raises(InvalidLink):
        SIGNER.read(changed)


@given(st.text(max_size=200))
def test_arbitrary_text_is_no_link(text: str):
    with pytest.raises(InvalidLink):
        SIGNER.read(text)


@pytest.mark.parametrize(
    "changed",
    [
        TOKEN[:-1],  # cut off, as by a mail program
        f"{TOKEN}A",
        f" {TOKEN}",
        f"{TOKEN}\n",
        TOKEN.replace(".", "%2E"),
        TOKEN.swapcase(),
        TOKEN.rpartition(".")[0] + ".",  # without its signature
        f"{LINK.code}.{2**39:x}.{TOKEN.rpartition('.')[2]}",  # given a longer life
    ],
)
def test_altered_links_are_refused(changed: str):
    with pytest.raises(InvalidLink):
        SIGNER.read(changed)


def test_secrets_make_different_signatures():
    with pytest.raises(InvalidLink):
        LinkSigner("t" * 64).read(TOKEN)


def test_derived_key_signs_and_not_the_secret_itself():
    """The key is derived for links alone, so a signature made with the secret elsewhere is worth nothing here."""
    import hmac
    from base64 import urlsafe_b64encode

    signed = TOKEN.rpartition(".")[0]
    plain = urlsafe_b64encode(hmac.digest(b"s" * 64, signed.encode(), "sha256")[:24]).decode()
    with pytest.raises(InvalidLink):
        SIGNER.read(f"{signed}.{plain}")


def test_signatures_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch):
    compared = []

    def compare(first: str, second: str) -> bool:
        compared.append((first, second))
        return first == second

    monkeypatch.setattr("worker.web.link_signing.hmac.compare_digest", compare)
    with pytest.raises(InvalidLink):
        SIGNER.read(TOKEN[:-1] + ("A" if TOKEN[-1] != "A" else "B"))
    assert len(compared) == 1
