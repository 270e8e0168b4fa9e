"""What the kill switch can stop, by the names under which it is kept and shown.

`all` is everything, and a PG goes by its own name; a plan is `plan:` with its code, a subscription `subscription:` with
its code. A stop of a subscription is a hold of it, which has no row in `stops`.
"""

from __future__ import annotations

EVERYTHING = "all"
"""The scope of a stop that stops every channel."""

PLAN = "plan:"
SUBSCRIPTION = "subscription:"


def of_plan(code: str) -> str:
    """Return the scope of a plan."""
    return PLAN + code


def of_subscription(code: str) -> str:
    """Return the scope of a subscription."""
    return SUBSCRIPTION + code


def start_command(scope: str) -> str:
    """Return the command that releases what stops a scope."""
    return f"again start{_arguments(scope)}"


def stop_command(scope: str) -> str:
    """Return the command that stops a scope."""
    return f"again stop{_arguments(scope)}"


def _arguments(scope: str) -> str:
    for prefix, option in ((PLAN, "--plan"), (SUBSCRIPTION, "--subscription")):
        if scope.startswith(prefix):
            return f" {option} {scope.removeprefix(prefix)}"
    return "" if scope == EVERYTHING else f" {scope}"
