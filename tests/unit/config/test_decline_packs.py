"""The packs that come with Again, and the file of a merchant's own rules: read once, refused as a whole."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.support.attempts import RULES
from worker.config.decline_packs import read_decline_file, rules_with, shipped_rules
from worker.config.settings import InvalidSettings, Settings
from worker.domain.declines import classify
from worker.domain.outcomes import DeclineKind

GUIDE = Path(__file__).parents[3] / "docs" / "declines.md"
OWN = Path(__file__).parents[2] / "support" / "decline_rules.toml"
TEXT = "[8326] 이용 한도를 넘었어요"


def settings(path: Path) -> Settings:
    return Settings.from_env({"AGAIN_DECLINE_RULES": str(path)})


def problems(path: Path) -> list[str]:
    with pytest.raises(InvalidSettings) as refused:
        settings(path)
    return str(refused.value).splitlines()


def test_packs_are_read_once_per_process():
    assert shipped_rules() is shipped_rules() is RULES
    assert {pack.name for pack in RULES.packs} == {"inicis", "kakaopay", "kcp", "payco", "tosspayments", "words"}


def test_rules_of_the_setting_go_before_ours_and_leave_ours_as_they_are():
    assert classify(rules_with(settings(OWN).decline_rules), "kakaopay", None, TEXT).verdict is DeclineKind.HARD
    assert classify(rules_with(None), "kakaopay", None, TEXT).verdict is DeclineKind.SOFT


def test_file_is_read_once_while_a_process_lives(tmp_path: Path):
    path = tmp_path / "rules.toml"
    path.write_text(OWN.read_text())
    first = settings(path).decline_rules
    path.unlink()
    assert settings(path).decline_rules is first
    assert str(first) == str(path)
    with pytest.raises(ValueError, match="cannot be read: No such file"):
        read_decline_file(str(path))


def test_rules_that_the_guide_shows_are_read(tmp_path: Path):
    (example,) = re.findall(r"```toml\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    path = tmp_path / "rules.toml"
    path.write_text(example)
    found = read_decline_file(str(path)).rules.own
    assert found is not None
    assert len(found.rules) == example.count("[[rule]]") > 1


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\xff\xfe", "is not in UTF-8; save it in that encoding"),
        (b"#" * (256 * 1024 + 1), "is larger than 256 KiB"),
        (b"rule = " + b"[" * 4000, ": it is nested too deeply"),
        (b"[[rule]]\nwords = ['a\n", ":2: it is no TOML: "),
        (b"[[rule]]\nkind = 'soft'\n", ":1: codes or words is missing"),
    ],
)
def test_file_that_cannot_be_used_is_refused_with_its_name(tmp_path: Path, content: bytes, says: str):
    path = tmp_path / "rules.toml"
    path.write_bytes(content)
    (problem,) = problems(path)
    assert problem.startswith(f"AGAIN_DECLINE_RULES: {path}")
    assert says in problem


def test_path_that_is_no_file_is_refused(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")  # reading it would never end
    assert problems(tmp_path) == [f"AGAIN_DECLINE_RULES: {tmp_path} is no file. See .env.example."]
    assert problems(tmp_path / "pipe") == [f"AGAIN_DECLINE_RULES: {tmp_path / 'pipe'} is no file. See .env.example."]
    (missing,) = problems(tmp_path / "none.toml")
    assert missing.startswith(
        f"AGAIN_DECLINE_RULES: {tmp_path / 'none.toml'} cannot be read: No such file or directory"
    )


def test_every_problem_of_a_file_is_one_line_of_the_settings_refusal(tmp_path: Path):
    path = tmp_path / "rules.toml"
    path.write_text('[[rule]]\nwords = ["중복"]\nkind = "paid"\n')
    words, kind = problems(path)
    assert words.startswith(f"AGAIN_DECLINE_RULES: {path}:2: '중복' says that it may be paid already")
    assert kind.startswith(f"AGAIN_DECLINE_RULES: {path}:3: kind is 'paid', but must be one of soft, hard,")
