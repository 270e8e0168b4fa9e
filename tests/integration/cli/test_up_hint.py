"""The commands that `again up` suggests exist."""

from __future__ import annotations

import re
import shlex

import pytest

from tests.integration.cli.conftest import Again
from worker.cli.up import HINT, hint
from worker.config.settings import Settings


def test_the_commands_of_the_hint_work_in_their_order(again: Again, tmp_path):
    code = ""
    for line in HINT.splitlines()[1:]:
        command, _, _ = line.strip().partition("   ")
        words = [code if word == "CODE" else word for word in shlex.split(command)[1:]]
        if words == ["doctor"]:
            continue  # nothing runs here, and it would say so
        said = again(*words, again_data_dir=str(tmp_path)).said
        code = next(iter(re.findall(r"\b[0-9A-Z]{13}\b", said)), code) if words[0] == "subscribe" else code
    assert code


LIVE = {"PORTONE_KEY": "k", "PORTONE_SECRET": "s", "DATABASE_URL": "postgresql://again@db/again"}


@pytest.mark.parametrize(("environ", "is_shown"), [({}, True), (LIVE, False)])
def test_the_hint_names_the_sandboxs_log_where_there_is_a_sandbox(environ: dict[str, str], is_shown: bool):
    settings = Settings.from_env({f"AGAIN_{name}": value for name, value in environ.items()})
    assert ("curl http://127.0.0.1:9101/_sandbox/webhooks" in hint(settings)) is is_shown
