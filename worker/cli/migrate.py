"""`again migrate`: bring the database's tables to what this version needs."""

from __future__ import annotations

from worker.cli import console
from worker.cli.options import Json


def migrate(*, as_json: Json = False) -> None:
    """Upgrade the database to the newest migration; safe to run twice and from two places."""
    from worker.cli.context import command_runtime, require_known_migration
    from worker.database import migrations

    with command_runtime(as_json=as_json, migrated=False, create=True) as runtime:
        before = migrations.current(runtime.engine)
        require_known_migration(before)
        migrations.upgrade(runtime.engine)
        after = migrations.current(runtime.engine)
    if as_json:
        console.print_json({"from": before, "to": after})
    elif before == after:
        console.say(f"The database is at the newest migration already: {after}.")
    else:
        console.say(f"Migrated from {before or 'nothing'} to {after}.")
