"""What is shipped for deployment leaves no door open."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMPOSE = (ROOT / "docker-compose.yml").read_text()
SHIPPED = [
    *(path for path in ROOT.iterdir() if path.is_file() and path.name != ".env"),
    *(path for folder in ("worker", "schedules", "deploy", ".ci") for path in (ROOT / folder).rglob("*")),
]


def service(name: str) -> str:
    found = re.search(rf"^  {name}:\n((?:    .*\n|\n)+)", COMPOSE, re.MULTILINE)
    assert found is not None
    return found[1]


def test_nothing_that_is_shipped_opens_flowers_api_to_everyone():
    texts = [
        path for path in SHIPPED if path.suffix not in {".pyc", ""} or path.name in {"Makefile", "Dockerfile", "run"}
    ]
    assert len(texts) > 100
    assert [path for path in texts if path.is_file() and "FLOWER_UNAUTHENTICATED_API" in path.read_text()] == []


def test_flower_in_containers_wants_a_password_and_has_no_default_one():
    assert "FLOWER_BASIC_AUTH: ${FLOWER_BASIC_AUTH:?" in service("flower")
    example = (ROOT / ".env.example").read_text()
    assert re.findall(r"^(FLOWER_BASIC_AUTH|POSTGRES_PASSWORD)=(.*)$", example, re.MULTILINE) == [
        ("POSTGRES_PASSWORD", ""),
        ("FLOWER_BASIC_AUTH", ""),
    ]


def test_containers_are_reached_from_their_own_machine_only():
    assert set(re.findall(r'ports: \["([^"]+)"\]', COMPOSE)) == {
        "127.0.0.1:5555:5555",
        "127.0.0.1:9101:9101",
        "127.0.0.1:9102:9102",
    }
    assert COMPOSE.count("ports:") == 3


def test_the_image_runs_as_a_user_without_rights():
    assert re.findall(r"^USER (\w+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE) == ["again"]
