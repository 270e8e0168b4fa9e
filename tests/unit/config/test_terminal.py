"""Nothing that is shown acts on a terminal, whichever way it goes there."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Callable

import pytest
import structlog
import typer
from rich.table import Table
from rich.text import Text
from typer.testing import CliRunner

from worker.cli import confirm, console
from worker.cli.console import PlainConsole
from worker.cli.exits import Commands
from worker.config.logs import configure_logs, log_errors_only
from worker.config.terminal import escaped, one_line, plain

ACTING = {
    "escape sequence": "\x1b[2K\x1b[1G",
    "bell": "\x07",
    "carriage return": "\r",
    "backspace": "\x08",
    "delete": "\x7f",
    "C1 control": "\x9b2J",
    "right-to-left override": "\u202e",
    "isolate": "\u2066",
    "line separator": "\u2028",
    "zero width": "\u200b",
    "tag": "\U000e0041",
}
acting = pytest.mark.parametrize("text", ACTING.values(), ids=ACTING.keys())


def unprintable(shown: str) -> list[str]:
    return [each for each in shown if not each.isprintable() and each != "\n"]


def test_control_characters_are_removed():
    assert plain("카드\x1b[2J\u202e한도\n") == "카드\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}한도\n"
    assert one_line("a\nb") == "a b"


@acting
def test_json_spells_what_is_not_printable_and_means_the_same(text):
    document = {"said": f"한도{text}초과", "rows": [1]}
    shown = escaped(json.dumps(document, ensure_ascii=False, indent=2))
    assert unprintable(shown) == []
    assert json.loads(shown) == document
    assert "한도" in shown


def test_json_spells_half_of_a_pair(capsys: pytest.CaptureFixture[str]):
    console.print_json({"said": "\ud800"})
    assert json.loads(capsys.readouterr().out) == {"said": "\ud800"}


@acting
@pytest.mark.parametrize("kind", ["text", "string", "table", "status"])
def test_a_console_shows_nothing_that_acts(text, kind):
    written = io.StringIO()
    plain_console = PlainConsole(file=written, markup=False, highlight=False)
    if kind == "status":
        plain_console.print(Text.assemble(("shown", "bold"), text))
    elif kind == "table":
        grid = Table(title=text)
        grid.add_column(text)
        grid.add_row(Text(f"shown{text}"))
        plain_console.print(grid)
    else:
        plain_console.print(f"shown{text}" if kind == "string" else Text(f"shown{text}"))
    assert "shown" in written.getvalue()
    assert unprintable(written.getvalue()) == []


@acting
@pytest.mark.parametrize("say", [console.say, console.note, console.complain, console.head])
def test_a_sentence_shows_nothing_that_acts(capsys: pytest.CaptureFixture[str], say: Callable[[str], None], text):
    say(f"shown{text}")
    captured = capsys.readouterr()
    assert "shown" in captured.out + captured.err
    assert unprintable(captured.out + captured.err) == []


@acting
def test_a_question_before_money_moves_shows_nothing_that_acts(monkeypatch: pytest.MonkeyPatch, text):
    monkeypatch.setattr(console, "is_conversation", lambda: True)
    app = typer.Typer()

    @app.command()
    def give_back() -> None:
        confirm.require(f"9,900 KRW of imps_2{text}100 KRW is given back. Go on?", unasked="", declined=f"no{text}")

    result = CliRunner().invoke(app, [], input="n\n")
    assert "is given back. Go on?" in result.output
    assert unprintable(result.output) == []


@acting
def test_a_complaint_about_the_command_line_shows_nothing_that_acts(text):
    app = typer.Typer(cls=Commands)

    @app.command()
    def one(name: str) -> None: ...

    @app.command()
    def two(number: int) -> None:
        raise typer.BadParameter(f"{number} is not {text}")

    for arguments in (["one", "a", f"b{text}"], ["two", f"1{text}"], [f"--o{text}"], [f"c{text}"], ["two", "1"]):
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 2
        assert unprintable(result.output) == []


def fail(text: str) -> None:
    raise RuntimeError(f"raised{text}")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@acting
@pytest.mark.parametrize("configure", [lambda: configure_logs("INFO"), log_errors_only], ids=["server", "command"])
def test_a_log_on_a_terminal_shows_nothing_that_acts(monkeypatch: pytest.MonkeyPatch, configure, text):
    written = Terminal()
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    monkeypatch.setattr(sys, "stderr", written)
    try:
        configure()
        log = structlog.get_logger()
        event = f"event{text}"
        log.error(event, address=f"fe80::1%{text}", reason=f"bad{text}\nkey", listed=[text])
        logging.getLogger("celery").error("celery %s", text)
        try:
            fail(text)
        except RuntimeError:
            log.exception("it broke")
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.reset_defaults()
    shown = written.getvalue()
    for colour in range(100):
        shown = shown.replace(f"\x1b[{colour}m", "")
    assert "raised" in shown
    assert unprintable(shown) == []
    assert "bad" in next(line for line in shown.splitlines() if "event" in line)
