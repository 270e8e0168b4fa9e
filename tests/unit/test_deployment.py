"""What is shipped for deployment leaves no door open."""

from __future__ import annotations

import re
from ipaddress import ip_address
from pathlib import Path

import pytest

from worker.checkout.source_addresses import Sources
from worker.settings import DEFAULT_CHECKOUT_URL, Settings

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
    listed = [each for ports in re.findall(r"ports: \[(.+)\]", COMPOSE) for each in ports.split(", ")]
    assert listed == ['"127.0.0.1:5555:5555"', '"127.0.0.1:9102:9102"', '"127.0.0.1:9101:9101"']
    assert COMPOSE.count("ports:") == 2


def environment_of(name: str, **env_file: str) -> dict[str, str]:
    """Give what a service of Again's has in its environment: its own lines, over those of all, over `.env`."""
    env_file |= {"POSTGRES_PASSWORD": "p", "AGAIN_CHECKOUT_SECRET": "0123456789abcdef" * 4}
    everyone = COMPOSE[COMPOSE.index("environment: &environment\n") : COMPOSE.index("services:")]
    lines = re.findall(r"^ +(AGAIN_\w+): (\S.*)$", everyone + service(name), re.MULTILINE)
    filled = {
        variable: re.sub(r"\$\{(\w+)[^}]*\}", lambda found: env_file[found[1]], value) for variable, value in lines
    }
    return {variable: value for variable, value in (env_file | filled).items() if variable.startswith("AGAIN_")}


def test_in_containers_a_browser_loads_the_sandboxs_script_from_where_it_can_reach_it():
    assert Settings.from_env(environment_of("checkout")).script_url == "http://127.0.0.1:9101/v1/iamport.js"
    assert '"127.0.0.1:9101:9101"' in service("checkout"), "published by the container in whose network it is"


def test_in_containers_the_sandboxs_webhooks_reach_the_pages_and_are_let_in():
    settings = Settings.from_env(environment_of("checkout"))
    assert 'network_mode: "service:checkout"' in service("sandbox")
    assert DEFAULT_CHECKOUT_URL == "http://127.0.0.1:9102", "where notices go, from within that network"
    assert settings.checkout_url is None
    assert Sources.of(settings).may_send_webhooks(ip_address("127.0.0.1"))
    # The workers are not in it.
    assert Settings.from_env(environment_of("worker")).gateway_url == "http://checkout:9101"


@pytest.mark.parametrize("name", ["migrate", "worker", "beat", "checkout", "sandbox"])
def test_in_containers_links_are_signed_and_read_with_one_secret_that_has_to_be_set(name):
    assert environment_of(name)["AGAIN_CHECKOUT_SECRET"] == "0123456789abcdef" * 4
    assert "AGAIN_CHECKOUT_SECRET: ${AGAIN_CHECKOUT_SECRET:?" in COMPOSE
    assert re.search(r"^AGAIN_CHECKOUT_SECRET=$", (ROOT / ".env.example").read_text(), re.MULTILINE)


def test_in_containers_a_live_key_is_served_portones_own_script():
    live = {"AGAIN_PORTONE_KEY": "k", "AGAIN_PORTONE_SECRET": "s", "AGAIN_IMP_CODE": "imp12345678"}
    live |= {"AGAIN_CHECKOUT_URL": "https://pay.example.com"}
    settings = Settings.from_env(environment_of("checkout", **live))
    assert settings.live
    assert settings.script_url == "https://cdn.iamport.kr/v1/iamport.js"


def test_the_image_runs_as_a_user_without_rights():
    assert re.findall(r"^USER (\w+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE) == ["again"]
