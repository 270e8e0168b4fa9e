"""The wheels of the extra `embedded`, imported only where they are needed."""

from __future__ import annotations

import warnings
from typing import Any

from worker.devstack.private_folders import NotAvailable


def wheel(name: str) -> Any:
    """Import a package; raises NotAvailable with what to do when it is not installed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # one of them warns about folders of its own choosing
            return __import__(name)
    except ImportError:
        raise NotAvailable(
            "AGAIN_DATABASE_URL or AGAIN_BROKER_URL is not set, and the embedded servers are not installed: "
            "set both, or `pip install 'again-billing[embedded]'`"
        ) from None
