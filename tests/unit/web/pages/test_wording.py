"""The texts that customers read: the same in both languages, chosen by URL and browser, and versioned."""

from __future__ import annotations

import hashlib
import re

import pytest

from worker.web.pages.wording import VERSION, WORDS, Language, choose_language, wording_version

KO, EN = Language.KOREAN, Language.ENGLISH


def test_languages_have_the_same_texts_with_the_same_values():
    assert WORDS[KO].keys() == WORDS[EN].keys()
    for name, korean in WORDS[KO].items():
        assert set(re.findall(r"\{(\w+)\}", korean)) == set(re.findall(r"\{(\w+)\}", WORDS[EN][name])), name


@pytest.mark.parametrize(
    ("wanted", "accepted", "chosen"),
    [
        (None, None, KO),
        (None, "en-US,en;q=0.9", EN),
        (None, "ko-KR,ko;q=0.9,en-US;q=0.8", KO),
        (None, "en;q=0.8,ko;q=0.9", KO),
        (None, "ja,en;q=0.5", EN),
        (None, "ja", KO),
        (None, "en;q=nonsense", KO),
        (None, "*", KO),
        ("en", "ko", EN),  # the address says more than the browser
        ("ko", "en", KO),
        ("<script>", "en", EN),
        (None, ";q=;,,en" * 1000, KO),  # neither is said to be liked
    ],
)
def test_language_of_a_page_follows_the_url_then_the_browser(
    wanted: str | None, accepted: str | None, chosen: Language
):
    assert choose_language(wanted, accepted) is chosen


def test_consent_names_the_version_and_language_of_the_text():
    assert wording_version(EN) == f"{VERSION}-en"


AGREED = (
    *("consent_register", "consent_register_now", "consent_replace", "consent_replace_owed", "consent_overdue"),
    *("cancel", "cancel_no_contact", "vat_included", "no_vat", "no_charge_now", "charged_now", "replace_owed"),
    *("given_up", "given_up_periods", "given_up_note"),
)
KNOWN = {"2026-12": "e9c4739cf668677e"}


def test_changed_wording_needs_a_new_version():
    agreed = "\n".join(WORDS[language][name] for language in Language for name in AGREED)
    digest = hashlib.sha256(agreed.encode()).hexdigest()[:16]
    assert KNOWN[VERSION] == digest, f"give the wording a new VERSION and write {digest} beside it"
