"""Web addresses given by clients: which are accepted, and how a query is added."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.sandbox.rules.web_addresses import is_web_address, origin, read_notice_urls, with_query


@pytest.mark.parametrize(
    ("value", "taken"),
    [
        ("http://127.0.0.1:8000/hook", True),
        ("https://shop.example/a?b=c#d", True),
        ("HTTPS://shop.example", True),
        ("//shop.example", False),
        ("javascript:alert(1)", False),
        ("file:///etc/passwd", False),
        ("https://", False),
        ("https://a:99999/", False),
        ("https://a\n.example/", False),
        ("https://a b/", False),
        ("https://a\\b/", False),
        ("https://a/" + "x" * 2000, False),
        (7, False),
        (None, False),
    ],
)
def test_web_address_is_an_absolute_http_address(value: Any, taken: bool):
    assert is_web_address(value) is taken


@pytest.mark.parametrize(
    ("header", "known"),
    [
        ("https://shop.example", True),
        ("http://127.0.0.1:8000", True),
        ("http://[::1]:8000", True),
        ("null", False),  # a sandboxed frame, or a file
        ("https://shop.example/", False),
        ("https://shop.example; script-src *", False),
        ("https://a.example,https://b.example", False),
        ("https://*", False),
        (None, False),
    ],
)
def test_origin_is_taken_only_if_it_fits_into_a_policy(header: str | None, known: bool):
    assert origin(header) == (header if known else None)


@given(st.text(max_size=40))
def test_origin_cannot_add_directives_to_a_policy(text: str):
    found = origin(f"https://a{text}")
    assert found is None or not set(found) & set("; ,'\"*\n\r")


@given(st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=20), max_size=4))
def test_parameters_added_to_a_query_are_read_back(values: dict[str, str]):
    parts = urlsplit(with_query("https://shop.example/done?order=7#top", values))
    assert parse_qsl(parts.query, keep_blank_values=True) == [("order", "7"), *values.items()]
    assert (parts.netloc, parts.path, parts.fragment) == ("shop.example", "/done", "top")


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("https://a.example/", ("https://a.example/",)),
        (["https://a.example/", "https://b.example/"], ("https://a.example/", "https://b.example/")),
        (["https://a.example/"] * 3, ("https://a.example/",)),
        (["", None, 7, {"a": 1}, "ftp://a.example/"], ()),
        (None, ()),
        ({}, ()),
    ],
)
def test_notice_url_is_one_address_or_several(value: Any, read: tuple[str, ...]):
    assert read_notice_urls(value) == read
