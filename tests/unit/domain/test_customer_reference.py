from __future__ import annotations

from unicodedata import normalize

import pytest

from worker.domain.customer_reference import is_customer_reference, normalized


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("1", True),
        ("홍길동 (42)", True),
        ("x" * 100, True),
        ("x" * 101, False),
        ("", False),
        ("a\tb", False),
        ("a\u202eb", False),  # turns the direction of what follows
        (" a", False),
        ("홍길동\u3164", False),  # a filler of Hangul, which is a letter and cannot be seen
        ("a\u034fb", False),
        ("a\ufe0f", False),
        (normalize("NFD", "홍길동"), False),
    ],
)
def test_customer_reference_has_only_visible_characters(reference, expected):
    assert is_customer_reference(reference) is expected


@pytest.mark.parametrize("text", ["홍길동", "José", "Ångström", "Việt"])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_customer_reference_is_equal_in_any_unicode_form(text, form):
    assert normalized(normalize(form, text)) == normalize("NFC", text)
