"""Hundreds of real decline texts, each with its verdict; the file names source and reason of each."""

from __future__ import annotations

import tomllib
import unicodedata
from pathlib import Path

import pytest

from tests.support.attempts import RULES
from worker.domain.declines import classify

JUDGED = tomllib.loads(Path(__file__).with_name("refusal_texts.toml").read_text("utf-8"))["judged"]
TEXTS = [(text, group["verdict"]) for group in JUDGED for text in group["texts"].strip().splitlines()]
KOREAN = [(text, verdict) for text, verdict in TEXTS if not text.isascii()]
PG_WITHOUT_TABLE = "smartro_v2"


def verdict_on(text: str) -> str:
    return str(classify(RULES, PG_WITHOUT_TABLE, None, text).verdict.value)


@pytest.mark.parametrize(("text", "verdict"), TEXTS)
def test_refusal_text_is_classified_by_what_it_says(text: str, verdict: str):
    assert verdict_on(text) == verdict


@pytest.mark.parametrize(("text", "verdict"), TEXTS)
def test_refusal_text_behind_portones_own_words_means_the_same(text: str, verdict: str):
    assert verdict_on(f"결제승인에 실패하였습니다. [X999]{text}") == verdict


@pytest.mark.parametrize(("text", "verdict"), KOREAN)
def test_refusal_text_in_another_unicode_form_means_the_same(text: str, verdict: str):
    assert verdict_on(unicodedata.normalize("NFD", text)) == verdict


@pytest.mark.parametrize(("text", "verdict"), KOREAN)
def test_refusal_text_without_spaces_means_the_same(text: str, verdict: str):
    assert verdict_on(text.replace(" ", "")) == verdict


def test_refusal_texts_are_many_and_each_is_judged_once():
    texts = [text for text, _ in TEXTS]
    assert len(texts) >= 300
    assert len(texts) == len(set(texts))
    assert all(group["why"] and group["source"] for group in JUDGED)
