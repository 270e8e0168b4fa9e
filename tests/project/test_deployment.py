"""What is shipped for deployment leaves no door open."""

from __future__ import annotations

import re
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import yaml

from worker.config.settings import DEFAULT_CHECKOUT_URL, Settings
from worker.web.http.source_addresses import SourceAddresses

ROOT = Path(__file__).parents[2]
COMPOSE = (ROOT / "docker-compose.yml").read_text()
PARSED = yaml.safe_load(COMPOSE)
SERVICES: dict[str, dict[str, Any]] = PARSED["services"]
LINK_SECRET = sha256(b"of no real link").hexdigest()
SHIPPED = [
    *(path for path in ROOT.iterdir() if path.is_file() and path.name != ".env"),
    *(path for folder in ("worker", "schedules", "deploy", ".ci") for path in (ROOT / folder).rglob("*")),
]


OURS = {"migrate", "worker", "beat", "flower", "checkout", "sandbox", "metrics"}

# By secret of .env: the services that need it, and no other.
NEEDED = {
    "POSTGRES_PASSWORD": {"postgres", "roles", "rights"},
    "OWNER_PASSWORD": {"roles", "rights", "migrate"},
    "WORKER_PASSWORD": {"roles", "rights", "worker", "beat", "metrics"},
    "CHECKOUT_PASSWORD": {"roles", "rights", "checkout"},
    "VALKEY_PASSWORD": {"valkey", "worker", "beat", "flower"},
    "AGAIN_PORTONE_KEY": {"worker", "checkout"},
    "AGAIN_PORTONE_SECRET": {"worker", "checkout"},
    "AGAIN_CHECKOUT_SECRET": {"worker", "checkout"},
    "AGAIN_EVENTS_BROKER_URL": {"worker", "beat", "flower"},
    "AGAIN_SMTP_URL": {"worker", "beat", "flower"},
    "FLOWER_BASIC_AUTH": {"flower"},
    "GRAFANA_PASSWORD": {"grafana"},
}
# None is the sandbox, Again's own broker, no e-mail, and what Grafana asks for at its first login.
OPTIONAL = {
    "AGAIN_PORTONE_KEY",
    "AGAIN_PORTONE_SECRET",
    "AGAIN_EVENTS_BROKER_URL",
    "AGAIN_SMTP_URL",
    "GRAFANA_PASSWORD",
}
HAVE_TO_BE_SET = NEEDED.keys() - OPTIONAL


def named(value: object) -> set[str]:
    """Name the variables of .env that stand in a value, however deep."""
    return set(re.findall(r"(?<!\$)\$\{?(\w+)", str(value)))


def service(name: str) -> dict[str, Any]:
    return SERVICES[name]


def test_flowers_api_is_opened_by_nothing_that_is_shipped():
    texts = [
        path for path in SHIPPED if path.suffix not in {".pyc", ""} or path.name in {"Makefile", "Dockerfile", "run"}
    ]
    assert len(texts) > 100
    assert [path for path in texts if path.is_file() and "FLOWER_UNAUTHENTICATED_API" in path.read_text()] == []


@pytest.mark.parametrize("secret", NEEDED)
def test_secret_is_in_the_containers_that_need_it_and_in_no_other(secret: str):
    assert {name for name, each in SERVICES.items() if secret in named(each)} == NEEDED[secret]


def test_env_file_is_given_whole_to_no_container():
    assert "env_file" not in str(PARSED)


def test_secrets_have_to_be_set_and_have_no_default():
    found = re.findall(r"\$\{(\w+)(:[-?])([^}]*)\}", COMPOSE)
    for name in HAVE_TO_BE_SET:
        assert {kind for variable, kind, _ in found if variable == name} == {":?"}, name
    for name in NEEDED.keys() - HAVE_TO_BE_SET:
        assert {(kind, default) for variable, kind, default in found if variable == name} == {(":-", "")}
    example = dict(re.findall(r"^(\w+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert {name: example.get(name) for name in NEEDED} == dict.fromkeys(NEEDED, "")


def test_secrets_are_in_environments_and_on_no_command_line():
    for name, each in SERVICES.items():
        elsewhere = {key: value for key, value in each.items() if key != "environment"}
        assert named(elsewhere) & NEEDED.keys() == set(), name


def test_settings_reach_the_worker_and_the_pages():
    own = {
        "AGAIN_DATA_DIR",
        "AGAIN_BROKER_URL",
        "AGAIN_EVENTS_BROKER_URL",
        "AGAIN_SMTP_URL",
        "AGAIN_SMTP_FROM",
        "AGAIN_ALERTS_TO",
        "AGAIN_NOTICE_TEXTS",
        "AGAIN_DECLINE_RULES",
    }  # a container has no data folder, and the pages have no queue, send nothing and classify nothing
    for name in ("worker", "checkout"):
        known = {f"AGAIN_{each.upper()}" for each in Settings.model_fields} - own
        assert known - SERVICES[name]["environment"].keys() == set()


@pytest.mark.parametrize(("name", "role"), [("migrate", "again_owner"), ("checkout", "again_checkout")])
def test_container_that_needs_another_role_connects_with_it(name: str, role: str):
    assert SERVICES[name]["environment"]["AGAIN_DATABASE_URL"].startswith(f"postgresql://{role}:$")


def test_containers_of_ours_never_connect_as_the_administrator():
    urls = {name: SERVICES[name].get("environment", {}).get("AGAIN_DATABASE_URL", "") for name in OURS}
    users = {name: url.split("://")[1].split(":$")[0] for name, url in urls.items() if "@" in url}
    assert users == {
        "migrate": "again_owner",
        "worker": "again_worker",
        "beat": "again_worker",
        "checkout": "again_checkout",
        "metrics": "again_worker",
    }


def test_roles_are_made_before_the_tables_and_narrowed_after_them():
    def waits_for(name: str) -> dict[str, str]:
        return {other: how["condition"] for other, how in SERVICES[name]["depends_on"].items()}

    assert waits_for("roles") == {"postgres": "service_healthy"}
    assert waits_for("migrate") == {"roles": "service_completed_successfully"}
    assert waits_for("rights") == {"migrate": "service_completed_successfully"}
    assert SERVICES["rights"]["command"] == SERVICES["roles"]["command"]
    for name in ("worker", "beat", "flower", "checkout", "metrics"):
        assert waits_for(name)["rights"] == "service_completed_successfully"


def test_queue_has_a_network_of_its_own_without_the_pages():
    networks = {name: set(each.get("networks", [])) for name, each in SERVICES.items()}
    assert {name for name, joined in networks.items() if "queue" in joined} == {"valkey", "worker", "beat", "flower"}
    assert {name for name, joined in networks.items() if "outside" in joined} == {"worker", "checkout"}
    assert networks["postgres"] == {"books"}
    assert networks["valkey"] == {"queue"}
    internal = {name for name, each in PARSED["networks"].items() if (each or {}).get("internal")}
    assert internal == {"books", "queue", "watch"}


def test_queue_requires_a_password():
    said = SERVICES["valkey"]["command"][-1]
    assert said.startswith("printf 'requirepass %s\\n")
    assert '"$$VALKEY_PASSWORD"' in said
    assert "noeviction" in said


@pytest.mark.parametrize("name", SERVICES)
def test_container_is_hardened(name: str):
    each = SERVICES[name]
    assert each["read_only"] is True
    assert each["cap_drop"] == ["ALL"]
    assert "cap_add" not in each
    assert each["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in each
    assert "/tmp" in each["tmpfs"]
    assert each["pids_limit"] > 0
    assert each["mem_limit"]
    assert name in OURS or each["user"] in {"postgres", "valkey", "nobody", "472"}, "ours run as the image's user"


def test_images_can_be_named_by_digest():
    images = {each["image"] for name, each in SERVICES.items() if name not in OURS}
    assert {re.sub(r":-.*", "", image) for image in images} == {
        "${POSTGRES_IMAGE", "${VALKEY_IMAGE", "${PROMETHEUS_IMAGE", "${GRAFANA_IMAGE"
    }  # fmt: skip
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert set(re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)) == {"${PYTHON_IMAGE}"}


def test_image_installs_only_packages_with_known_hashes():
    dockerfile = (ROOT / "Dockerfile").read_text()
    installs = re.findall(r"pip install ([^&]*?)(?:&&|$)", dockerfile.replace("\\\n", ""), re.MULTILINE)
    assert len(installs) == 3
    assert all("--no-deps" in each and ("--require-hashes" in each or "--no-index" in each) for each in installs)
    for path in ("requirements.lock", "deploy/requirements.txt", "deploy/build-requirements.txt"):
        pins = re.findall(r"^[a-z0-9-]+==(?:.*\\\n)+.*$", (ROOT / path).read_text(), re.MULTILINE)
        assert pins, path
        assert all("--hash=sha256:" in pin for pin in pins), path
        assert len(pins) == len(re.findall(r"^[a-z0-9-]+==", (ROOT / path).read_text(), re.MULTILINE)), path


def test_image_installs_the_versions_that_are_pinned_here():
    def pins(path: str) -> dict[str, str]:
        return dict(re.findall(r"^([a-z0-9-]+)==([^ \\]+)", (ROOT / path).read_text(), re.MULTILINE))

    assert pins("deploy/requirements.txt").items() <= pins("requirements.lock").items()


def test_documented_copy_of_the_settings_is_private():
    for path in (".env.example", "docs/operations.md"):
        text = (ROOT / path).read_text()
        assert "install -m 600 .env.example .env" in text
        assert "cp .env.example" not in text


def test_containers_are_reached_from_their_own_machine_only():
    ports = {name: each["ports"] for name, each in SERVICES.items() if "ports" in each}
    assert ports == {
        "flower": ["127.0.0.1:5555:5555"],
        "checkout": ["127.0.0.1:9102:9102", "127.0.0.1:9101:9101"],
        "prometheus": ["127.0.0.1:9090:9090"],
        "grafana": ["127.0.0.1:3000:3000"],
    }


def environment_of(name: str, **env: str) -> dict[str, str]:
    """Give what a service has in its environment with this .env, everything that must be set filled in."""
    env = {**dict.fromkeys(HAVE_TO_BE_SET, "p"), "AGAIN_CHECKOUT_SECRET": LINK_SECRET, **env}
    pattern = r"\$\{(\w+)(?::[-?][^}]*)?\}"
    filled = {
        variable: re.sub(pattern, lambda found: env.get(found[1], ""), str(value))
        for variable, value in SERVICES[name].get("environment", {}).items()
    }
    return {variable: value for variable, value in filled.items() if variable.startswith("AGAIN_")}


@pytest.mark.parametrize("name", sorted(OURS))
def test_settings_of_each_container_are_valid(name: str):
    settings = Settings.from_env(environment_of(name))
    assert not settings.live


def test_browser_loads_the_sandboxs_script_from_an_address_that_it_reaches():
    assert Settings.from_env(environment_of("checkout")).script_url == "http://127.0.0.1:9101/v1/iamport.js"
    assert "127.0.0.1:9101:9101" in service("checkout")["ports"], "published by the container in whose network it is"


def test_webhooks_of_the_sandbox_reach_the_pages_in_containers():
    settings = Settings.from_env(environment_of("checkout"))
    assert service("sandbox")["network_mode"] == "service:checkout"
    assert DEFAULT_CHECKOUT_URL == "http://127.0.0.1:9102", "where notices go, from within that network"
    assert settings.checkout_url is None
    assert SourceAddresses.from_settings(settings).may_send_webhooks(ip_address("127.0.0.1"))
    # The workers are not in it.
    assert Settings.from_env(environment_of("worker")).gateway_url == "http://checkout:9101"


def test_links_are_signed_and_read_with_one_secret_in_containers():
    for name in ("worker", "checkout"):
        assert environment_of(name)["AGAIN_CHECKOUT_SECRET"] == LINK_SECRET


def test_live_key_in_containers_is_served_portones_own_script():
    live = {"AGAIN_PORTONE_KEY": "k", "AGAIN_PORTONE_SECRET": "s", "AGAIN_IMP_CODE": "imp12345678"}
    live |= {"AGAIN_CHECKOUT_URL": "https://pay.example.com"}
    settings = Settings.from_env(environment_of("checkout", **live))
    assert settings.live
    assert settings.script_url == "https://cdn.iamport.kr/v1/iamport.js"


def test_image_runs_as_an_unprivileged_user():
    assert re.findall(r"^USER (\w+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE) == ["again"]


def test_metrics_are_published_on_no_port_and_read_in_a_network_of_their_own():
    assert "ports" not in service("metrics")
    assert service("metrics")["profiles"] == service("prometheus")["profiles"] == ["monitoring"]
    assert {name for name, each in SERVICES.items() if "watch" in each.get("networks", [])} == {
        "metrics", "prometheus", "grafana"
    }  # fmt: skip
    for name in ("prometheus", "grafana"):
        assert all(port.startswith("127.0.0.1:") for port in service(name)["ports"])
    Settings.from_env(environment_of("metrics"))


def test_prometheus_reads_the_metrics_and_the_rules_that_are_shipped():
    folder = ROOT / "deploy" / "prometheus"
    assert service("prometheus")["volumes"][0] == "./deploy/prometheus:/etc/prometheus:ro"
    configured = yaml.safe_load((folder / "prometheus.yml").read_text())
    assert [(folder / name).is_file() for name in configured["rule_files"]] == [True]
    (scrape,) = configured["scrape_configs"]
    assert scrape["static_configs"] == [{"targets": ["metrics:9103"]}]
    assert scrape["job_name"] == "again"
