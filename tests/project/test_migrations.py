"""What the names of the migrations' files tell is what Alembic reads in them."""

from __future__ import annotations

from pathlib import Path

from alembic.script import ScriptDirectory

from worker.database import migrations

FOLDER = Path(migrations.__file__).parent


def test_newest_revision_is_the_only_head():
    script = ScriptDirectory(str(FOLDER))
    assert script.get_heads() == [migrations.newest()]
    assert {each.revision for each in script.walk_revisions()} == {
        file.name[:4] for file in (FOLDER / "versions").glob("[0-9]*.py")
    }
