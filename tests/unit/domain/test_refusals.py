"""What customers are told of refusals: a sentence of its own for each code, without our commands and ids."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from worker.domain.errors import RateLimited, RefusalCode, Refused
from worker.domain.refusals import SENTENCES, customer_sentence

PAGE = (Path(__file__).parents[3] / "docs" / "your-own-pages.md").read_text()


def test_every_code_has_sentences_of_its_own():
    assert set(SENTENCES) == set(RefusalCode)
    assert (
        len({each.en for each in SENTENCES.values()}) == len({each.ko for each in SENTENCES.values()}) == len(SENTENCES)
    )


@pytest.mark.parametrize("code", list(RefusalCode))
def test_sentences_of_a_code_name_no_command_and_no_id(code: RefusalCode):
    said = SENTENCES[code]
    assert not re.search(r"[`0-9{}]|AGAIN", said.en + said.ko)
    assert said.en.endswith(".")
    assert said.ko.endswith(("다.", "요."))
    assert re.search("[가-힣]", said.ko)


def test_every_code_is_documented_for_hosts():
    section = PAGE.split("## Refusals")[1].split("## ")[0]
    assert set(re.findall(r"^\| `(\w+)`", section, re.MULTILINE)) == set(RefusalCode)


def test_refusal_without_a_code_sends_the_customer_to_the_host():
    assert customer_sentence(Refused("There is no charge 7.")) == SENTENCES[RefusalCode.OTHER]
    assert customer_sentence(RateLimited()) == SENTENCES[RefusalCode.BUSY]
