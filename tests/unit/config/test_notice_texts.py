"""The file of a merchant's own texts: read once, as a whole, and refused in sentences."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from schedules.notices import NoticeKind
from worker.config.notice_texts import MOST_PROBLEMS
from worker.config.settings import InvalidSettings, Settings
from worker.config.toml_files import MOST_BYTES
from worker.domain.notices.texts import ALWAYS_KNOWN, AT_TIMES_KNOWN, TEXTS

GUIDE = Path(__file__).parents[3] / "docs" / "notices.md"


def settings(path: Path) -> Settings:
    return Settings.from_env({"AGAIN_NOTICE_TEXTS": str(path)})


def problems(path: Path) -> list[str]:
    with pytest.raises(InvalidSettings) as refused:
        settings(path)
    return str(refused.value).splitlines()


def test_example_of_the_guide_is_read(tmp_path: Path):
    (example,) = re.findall(r"```toml\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    path = tmp_path / "texts.toml"
    path.write_text(example)
    found = settings(path).notice_texts
    assert found is not None
    assert {key for key in TEXTS if found.texts[key] != TEXTS[key]} == {
        (NoticeKind.RENEWAL, "ko"),
        (NoticeKind.DECLINED, "en"),
    }


def test_table_of_the_guide_has_the_names_of_each_kind():
    _, rows = GUIDE.read_text().split("| notice | names, always known | at times |\n|---|---|---|\n")
    table = [line.strip("|").split("|") for line in rows.partition("\n\n")[0].splitlines()]
    names = [[re.findall(r"\{(\w+)\}", cell) for cell in row[1:]] for row in table]
    of_all = set(names[0][0])
    for row, found in zip(table[1:], names[1:], strict=True):
        for kind in re.findall(r"`(\w+)`", row[0]):
            at_times = found[1] if len(found) > 1 else []
            assert of_all | set(found[0]) == ALWAYS_KNOWN[NoticeKind(kind)], kind
            assert set(at_times) == AT_TIMES_KNOWN.get(NoticeKind(kind), frozenset()), kind


def test_mark_at_the_beginning_of_a_file_is_no_problem(tmp_path: Path):
    path = tmp_path / "texts.toml"
    path.write_text("[paid.ko]\r\ntitle = '고마워요'\r\n", encoding="utf-8-sig")
    found = settings(path).notice_texts
    assert found is not None
    assert found.texts[NoticeKind.PAID, "ko"].title == "고마워요"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"[paid.ko]\ntitle = 'x", "is no TOML: "),
        (b"[paid.ko]\ntitle = 'x'\n[paid.ko]", "is no TOML: "),
        (b"x = " + b"[" * 100_000, "is no TOML: "),
        (b"x = " + b"9" * 5000, "is no TOML: "),
        ("title = '결제'".encode("cp949"), "is not in UTF-8; save it in that encoding"),
        (b"#" * (MOST_BYTES + 1), "is larger than 256 KiB"),
    ],
)
def test_unreadable_file_is_refused_in_one_sentence(tmp_path: Path, content: bytes, says: str):
    path = tmp_path / "texts.toml"
    path.write_bytes(content)
    (problem,) = problems(path)
    assert problem.startswith(f"AGAIN_NOTICE_TEXTS: {path} {says}")
    assert problem.endswith(". See .env.example.")


def test_broken_toml_is_named_with_its_line(tmp_path: Path):
    path = tmp_path / "texts.toml"
    path.write_text("[paid.ko]\n\ntitle is 'x'\n")
    (problem,) = problems(path)
    assert "(at line 3, column 7)" in problem


def test_folder_pipe_and_missing_file_are_refused_and_never_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    assert problems(tmp_path) == [f"AGAIN_NOTICE_TEXTS: {tmp_path} is no file. See .env.example."]
    assert problems(tmp_path / "pipe") == [f"AGAIN_NOTICE_TEXTS: {tmp_path / 'pipe'} is no file. See .env.example."]
    (missing,) = problems(tmp_path / "none.toml")
    assert missing.startswith(f"AGAIN_NOTICE_TEXTS: {tmp_path / 'none.toml'} cannot be read: No such file or directory")


def test_each_problem_names_file_notice_and_language_on_a_line_of_its_own(tmp_path: Path):
    path = tmp_path / "texts.toml"
    path.write_text("[paid.ko]\ntitle = '{plna}'\n[trial.en]\ntitle = ''\n")
    name, title = problems(path)
    assert name.startswith(
        f"AGAIN_NOTICE_TEXTS: {path}: [paid.ko] title names {{plna}}; for paid it may name {{amount}}, "
    )
    assert title.startswith(f"AGAIN_NOTICE_TEXTS: {path}: [trial.en] title is empty; leave it out")


def test_file_that_is_no_file_of_texts_is_refused_shortly(tmp_path: Path):
    path = tmp_path / "texts.toml"
    path.write_text("".join(f"name{number} = 1\n" for number in range(MOST_PROBLEMS + 5)))
    found = problems(path)
    assert len(found) == MOST_PROBLEMS + 1
    assert "5 more problems are left out" in found[-1]


def test_file_that_breaks_while_a_process_runs_changes_nothing_in_it(tmp_path: Path):
    path = tmp_path / "texts.toml"
    path.write_text("[paid.ko]\ntitle = 'x'\n")
    before = settings(path)
    path.write_text("[paid.ko]\ntitle = '{none}'\n")
    assert settings(path) == before
    path.unlink()
    assert settings(path) == before


def test_file_that_was_refused_is_read_again(tmp_path: Path):
    path = tmp_path / "texts.toml"
    path.write_text("[paid.ko]\ntitle = '{none}'\n")
    assert len(problems(path)) == 1
    path.write_text("[paid.ko]\ntitle = 'x'\n")
    assert settings(path).notice_texts is not None
