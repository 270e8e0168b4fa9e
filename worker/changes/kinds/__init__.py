"""What each kind of change does, a module each; `KINDS` in `worker.changes.registry` lists them."""
