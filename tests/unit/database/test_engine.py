"""What an address of a database must be, and that no half of a password is taken for a host."""

from __future__ import annotations

import pytest

from worker.database.engine import InvalidDatabaseUrl, create_database_engine


@pytest.mark.parametrize("userinfo", ["again:hunter2@SECRETHALF", "again:p@ss@SECRETHALF"])
def test_an_at_sign_in_a_password_is_refused_and_not_shown(userinfo: str):
    with pytest.raises(InvalidDatabaseUrl, match="%40") as refused:
        create_database_engine(f"postgresql://{userinfo}@127.0.0.1:1/again", actor="test")
    assert "SECRETHALF" not in str(refused.value)


def test_an_at_sign_written_as_it_must_be_is_taken():
    engine = create_database_engine("postgresql://again:hunter2%40half@127.0.0.1:1/again", actor="test")
    assert (engine.url.password, engine.url.host) == ("hunter2@half", "127.0.0.1")
