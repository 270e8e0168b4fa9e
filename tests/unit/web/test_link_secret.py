"""The secret that signs links: the sandbox's is generated once; with a live key it has to be configured."""

from __future__ import annotations

from pathlib import Path

import pytest

from worker.config.settings import InvalidSettings, Settings
from worker.web.link_secret import link_secret


def test_sandbox_secret_is_generated_once_and_kept_private(tmp_path):
    settings = Settings.from_env({"AGAIN_DATA_DIR": str(tmp_path / "new")})
    made = link_secret(settings)
    assert len(made) == 64
    assert link_secret(settings) == made
    assert [each.name for each in (tmp_path / "new").iterdir()] == ["checkout.secret"]
    assert (tmp_path / "new" / "checkout.secret").stat().st_mode & 0o777 == 0o600


LIVE = {
    "AGAIN_PORTONE_KEY": "key",
    "AGAIN_PORTONE_SECRET": "secret",
    "AGAIN_DATABASE_URL": "postgresql://a@b/c",
    "AGAIN_BROKER_URL": "redis://b/0",
}


def test_live_key_generates_no_secret(tmp_path):
    settings = Settings.from_env({**LIVE, "AGAIN_DATA_DIR": str(tmp_path)})
    with pytest.raises(InvalidSettings, match="AGAIN_CHECKOUT_SECRET"):
        link_secret(settings)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kept", ["", " \n", "short", "a" * 64])
def test_malformed_kept_secret_is_refused(tmp_path: Path, kept: str):
    settings = Settings.from_env({"AGAIN_DATA_DIR": str(tmp_path)})
    (tmp_path / "checkout.secret").write_text(kept)
    with pytest.raises(InvalidSettings, match="delete it"):
        link_secret(settings)
