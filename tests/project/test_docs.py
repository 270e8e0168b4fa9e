"""What the documents say is what the code says: diagrams, tables, settings, commands, files and symbols."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from schedules.beat import beat_table
from tests.support.house_rules import RETIRED
from tests.support.sql_sources import money_writes
from worker import __all__ as exported
from worker.cli.commands import app
from worker.config.settings import Settings
from worker.database.tables.all_tables import metadata
from worker.doctor.run import CHECKS
from worker.domain.blockers import Blocker
from worker.domain.discrepancy_rules import DiscrepancyKind
from worker.domain.states import ATTEMPT_TRANSITIONS, CHARGE_TRANSITIONS, SUBSCRIPTION_TRANSITIONS
from worker.metrics.families import sample_names

ROOT = Path(__file__).parents[2]
DOCUMENTS = {
    str(path.relative_to(ROOT)): path.read_text()
    for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
    if path.name != "CHANGELOG.md"  # it names what there was
}
ARCHITECTURE = DOCUMENTS["ARCHITECTURE.md"]
VARIABLES = {f"AGAIN_{name.upper()}" for name in Settings.model_fields}
ROOT_FOLDERS = "worker|schedules|tests|deploy"
MOST_LINES_OF_README = 200
AGAIN = get_command(app)
ROOMS = sorted(
    str(path.parent.relative_to(ROOT))
    for path in [*ROOT.glob("schedules/__init__.py"), *ROOT.glob("worker/*/__init__.py")]
)
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
IN_A_SENTENCE, ON_A_LINE = re.compile(r"`(again [a-z][^`]*)`"), re.compile(r"^(again [a-z].*)$", re.MULTILINE)


CODE = [
    path
    for folder in ROOT_FOLDERS.split("|")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in {".py", ".sql", ".js"}
] + [ROOT / "Makefile", ROOT / "pyproject.toml", ROOT / "docker-compose.yml"]
WORDS_OF_THE_CODE = {word for path in CODE if path != Path(__file__) for word in re.findall(r"\w+", path.read_text())}
OF_OTHER_PROGRAMS = {"limit_conn", "limit_req"}  # nginx's


def section(title: str) -> str:
    return re.split(r"^## ", ARCHITECTURE.split(f"## {title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def variables_in(text: str) -> set[str]:
    return set(re.findall(r"AGAIN_[A-Z_]+[A-Z]", text))


# --- architecture -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("title", "transitions"),
    [
        ("A charge", CHARGE_TRANSITIONS),
        ("An attempt", ATTEMPT_TRANSITIONS),
        ("A subscription", SUBSCRIPTION_TRANSITIONS),
    ],
)
def test_state_diagram_shows_exactly_the_transitions(title: str, transitions: Mapping[str, frozenset[str]]):
    arrows = set(re.findall(r"(\w+) --> (\w+)", section(title)))
    assert arrows == {(str(start), str(end)) for start, ends in transitions.items() for end in ends}


def test_table_of_ticks_is_beats_table():
    rows = re.findall(r"^\| (\d+) s \| `(again\.\w+)` \|", section("Periodic work"), re.MULTILINE)
    assert [(timedelta(seconds=int(every)), task) for every, task in rows] == [
        (entry.every, entry.task) for entry in beat_table()
    ]


def test_crash_table_names_tests_that_exist():
    sources = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    names = re.findall(r"`(test_\w+?)(?:_\.\.\.)?`", section("What a crash leaves, and what repairs it"))
    assert len(names) >= 13
    assert [name for name in names if f"def {name}" not in sources] == []


def test_table_of_rooms_has_every_room():
    assert sorted(re.findall(r"^\| `([\w/]+)/` \|", section("Five floors"), re.MULTILINE)) == ROOMS


def test_table_of_the_ledger_names_the_files_that_write_charges_and_attempts():
    named = re.findall(r"^\| `(worker/ledger/\w+\.py)` \|", section("Five floors"), re.MULTILINE)
    ledger = (ROOT / "worker" / "ledger").glob("*.py")
    assert sorted(named) == sorted(str(path.relative_to(ROOT)) for path in ledger if money_writes(path.read_text()))


def test_contributing_names_every_target_of_make():
    (targets,) = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    rows = "\n".join(re.findall(r"^\| `make .*$", DOCUMENTS["CONTRIBUTING.md"], re.MULTILINE))
    assert set(re.findall(r"`make ([\w-]+)", rows)) == set(targets.split()) - {"help"}


def test_data_model_has_every_table_once():
    rows = DOCUMENTS["docs/data-model.md"].split("## The order of locks", 1)[0]
    named = [name for row in re.findall(r"^\| (`[^|]+) \|", rows, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)]
    assert sorted(named) == sorted(metadata.tables)


# --- all documents ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", DOCUMENTS)
def test_files_named_by_a_document_exist(document: str):
    named = re.findall(rf"(?<![\w/.])((?:{ROOT_FOLDERS})/[\w/.-]*\w/?)", DOCUMENTS[document])
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_symbols_named_by_a_document_exist(document: str):
    named = re.findall(r"`([\w/.]+\.py)::(\w+)`", DOCUMENTS[document])
    defined = r"^(?:async def|def|class) {0}\b|^{0}(?:: .*)? = "
    missing = [
        f"{file}::{symbol}"
        for file, symbol in named
        if re.search(defined.format(symbol), (ROOT / file).read_text(), re.MULTILINE) is None
    ]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_of_a_document_lead_to_files(document: str):
    targets = re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", FENCED.sub("", DOCUMENTS[document]))
    assert [target for target in targets if not (ROOT / document).parent.joinpath(target).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_names_in_code_style_in_a_document_occur_in_the_code(document: str):
    named = re.findall(r"`[\w.]*?\b(_?[A-Za-z]+_\w+|_[a-z]\w+|(?:[A-Z][a-z]+){2,})(?:\([^`]*)?`", DOCUMENTS[document])
    assert sorted(set(named) - WORDS_OF_THE_CODE - OF_OTHER_PROGRAMS - sample_names()) == []


@pytest.mark.parametrize("document", ["docs/settings.md", ".env.example"])
def test_every_setting_is_documented_and_no_other(document: str):
    assert variables_in((ROOT / document).read_text()) == VARIABLES


@pytest.mark.parametrize("document", DOCUMENTS)
def test_settings_named_by_a_document_exist(document: str):
    assert variables_in(DOCUMENTS[document]) <= VARIABLES


def test_default_environment_is_the_example_one():
    lines = [line for line in (ROOT / ".env.example").read_text().splitlines() if line.startswith("AGAIN_")]
    environ = dict(line.split("=", 1) for line in lines)
    assert Settings.from_env(environ) == Settings.from_env({})


def said_commands(document: str) -> Iterator[list[str]]:
    text = DOCUMENTS[document]
    examples = "\n".join(FENCED.findall(text))
    for said in [*IN_A_SENTENCE.findall(FENCED.sub("", text)), *ON_A_LINE.findall(examples)]:
        yield re.sub(r'"[^"]*"', "TEXT", said).partition("  #")[0].removesuffix("...").split()[1:]


def command_of(words: list[str]) -> tuple[TyperCommand, list[str]] | None:
    """Return the command that words begin with, and what follows it; None where there is no such command."""
    group = AGAIN
    while isinstance(group, TyperGroup):
        if not words:
            return TyperCommand("group"), []
        found = group.commands.get(words[0].rstrip(",.:"))
        if found is None:
            return (TyperCommand("group"), []) if group.name != "again" and words[0].isupper() else None
        group, words = found, words[1:]
    assert isinstance(group, TyperCommand)
    return group, words


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_and_options_named_by_a_document_exist(document: str):
    wrong = []
    for words in said_commands(document):
        found = command_of(words)
        options = {option for parameter in found[0].params for option in parameter.opts} if found else set()
        said = {word.rstrip(",.`)") for word in (found[1] if found else []) if word.startswith("--")}
        if found is None or said - options - {"--help"}:
            wrong.append(" ".join(words))
    assert wrong == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_checks_of_doctor_named_by_a_document_exist(document: str):
    named = [word for words in said_commands(document) if words[:1] == ["doctor"] for word in words[1:]]
    assert {word for word in named if word.islower() and not word.startswith("-")} <= CHECKS.keys()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_document_has_no_retired_word(document: str):
    words = re.sub(r"^### Words$.*?^## ", "", DOCUMENTS[document], flags=re.MULTILINE | re.DOTALL)
    assert [found[0] for found in RETIRED.finditer(words)] == []


# --- each of them -----------------------------------------------------------------------------------------------------


def commands_below(group: TyperGroup, name: str = "") -> Iterator[tuple[str, TyperCommand]]:
    for word, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from commands_below(command, f"{name}{word} ")
        else:
            assert isinstance(command, TyperCommand)
            yield f"{name}{word}", command


def test_page_of_commands_names_each_and_those_without_json():
    assert isinstance(AGAIN, TyperGroup)
    page, commands = DOCUMENTS["docs/commands.md"], dict(commands_below(AGAIN))
    assert [name for name in AGAIN.commands if f"`again {name}" not in page] == []
    (excepted,) = re.findall(r"All but (.*?)\s+take `--json`", page, re.DOTALL)
    silent = [name for name, command in commands.items() if all("--json" not in each.opts for each in command.params)]
    assert sorted(re.findall(r"`([\w ]+)`", excepted)) == sorted(silent)


def test_build_of_the_documents_fails_on_a_broken_anchor(tmp_path: Path):
    (recipe,) = re.findall(r"^\t@(.*\$\(BIN\)/mkdocs .*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    settings = (ROOT / "mkdocs.yml").read_text()
    strict = re.findall(r"^strict:.*$|^validation:\n(?:  .*\n?)+", settings, re.MULTILINE)
    (tmp_path / "mkdocs.yml").write_text("\n".join(["site_name: planted", *strict]))
    (tmp_path / "docs").mkdir()
    command = recipe.replace("$(BIN)", shlex.quote(str(Path(sys.executable).parent)))

    def build(page: str) -> int:
        (tmp_path / "docs" / "index.md").write_text(page)
        return subprocess.run(command, shell=True, cwd=tmp_path, check=False).returncode

    assert build("# A page\n\n[here](#a-page)\n") == 0
    assert build("# A page\n\n[nowhere](#no-page)\n") != 0


def test_readme_is_short():
    assert len(DOCUMENTS["README.md"].splitlines()) <= MOST_LINES_OF_README


def test_readme_shows_the_rows_that_the_demo_prints():
    rows = re.findall(r"^│ (.+?) +│", DOCUMENTS["README.md"], re.MULTILINE)
    source = (ROOT / "worker" / "demo" / "show.py").read_text()
    assert len(rows) >= 8
    assert [row for row in rows if f'"{row}"' not in source] == []


def test_glossary_has_each_term_once_and_in_order():
    rows = re.findall(r"^\| \*\*(.+?)\*\* \|", DOCUMENTS["docs/glossary.md"], re.MULTILINE)
    terms = [term for row in rows for term in row.split(", ")]
    assert len(terms) == len({term.lower() for term in terms}) > 40
    assert rows == sorted(rows, key=str.lower)


def test_every_decision_is_a_short_numbered_record_in_the_index():
    records = sorted((ROOT / "docs" / "decisions").glob("0*.md"))
    index = DOCUMENTS["docs/decisions/index.md"]
    assert [path.name[:4] for path in records] == [f"{number:04d}" for number in range(1, len(records) + 1)]
    for number, path in enumerate(records, start=1):
        text = path.read_text()
        assert text.startswith(f"# {number}. ")
        assert re.findall(r"^\*\*(\w+)\.\*\*", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]
        assert len(text.splitlines()) <= 25
        assert f"]({path.name})" in index


def test_rows_of_status_in_the_handbook_are_those_of_the_command():
    table = DOCUMENTS["docs/operations.md"].split("| row | what to do |", 1)[1].split("\n\n", 1)[0]
    rows = [row for row in re.findall(r"^\| ([^|]+?) \|", table, re.MULTILINE) if '"' not in row]
    source = (ROOT / "worker" / "cli" / "status.py").read_text()
    assert len(rows) >= 6
    assert [row for row in rows if f'"{row}"' not in source] == []


def test_handbook_names_every_reason_for_which_a_charge_waits():
    table = DOCUMENTS["docs/operations.md"].split("## Why a charge waits", 1)[1].split("\n## ", 1)[0]
    assert re.findall(r"^\| `(\w+)` \| (?!why)", table, re.MULTILINE) == [blocker.value for blocker in Blocker]


def test_handbook_names_every_kind_of_discrepancy():
    table = DOCUMENTS["docs/operations.md"].split("| kind (", 1)[1].split("\n\n", 1)[0]
    kinds = [
        kind for row in re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE) for kind in re.findall(r"`(\w+)`", row)
    ]
    assert sorted(kinds) == sorted(kind.value for kind in DiscrepancyKind)


def test_pages_of_your_own_name_everything_that_worker_exports():
    table = DOCUMENTS["docs/your-own-pages.md"].split("## What `worker` exports", 1)[1].split("\n## ", 1)[0]
    named = [
        name for row in re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
    ]
    assert sorted(named) == sorted(exported)


def test_example_of_a_review_has_the_commands_own_titles_and_sentences():
    example = next(
        each for each in FENCED.findall(DOCUMENTS["docs/operations.md"]) if "paid_twice" in each.replace(" ", "_")
    )
    sources = [ROOT / "worker" / "cli" / "review_details.py", *(ROOT / "worker" / "review").glob("*.py")]
    source = "\n".join(path.read_text() for path in sources)
    titles = re.split(r"  +", next(line for line in example.splitlines() if line.startswith("IMP_UID")))
    (accepted,) = re.findall(r"^accept +(.*)$", example, re.MULTILINE)
    subject = example.splitlines()[1].split()[0]
    assert [said for said in [*titles, accepted, subject] if f'"{said}"' not in source] == []
