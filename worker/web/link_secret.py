"""The secret that signs links: configured, or for the sandbox generated once and kept in the data folder."""

from __future__ import annotations

import os
import secrets

from worker.config.checkout_checks import LINKS_CANNOT_BE_SIGNED, secret_problems
from worker.config.settings import InvalidSettings, Settings
from worker.devstack.private_folders import make_private

FILE = "checkout.secret"


def link_secret(settings: Settings) -> str:
    """Return the secret. Raises InvalidSettings when real money moves and none is configured.

    A generated one would differ from machine to machine, and links would work only where they were made.
    """
    if settings.checkout_secret is not None:
        return settings.checkout_secret.get_secret_value()
    if settings.live:
        raise InvalidSettings(LINKS_CANNOT_BE_SIGNED)
    return _kept(settings)


def _kept(settings: Settings) -> str:
    path = settings.data_dir / FILE
    make_private(settings.data_dir)
    try:
        # Written under another name first: of two processes that start at once, one wins and both read the same.
        made = path.with_name(f"{FILE}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
        try:
            os.link(made, path)
        finally:
            made.unlink()
    except FileExistsError:
        pass
    kept = path.read_text().strip()
    if list(secret_problems(kept)):
        raise InvalidSettings(f"{path} holds no secret that could sign links; delete it, and another one is made.")
    return kept
