"""Check of the rules by which refusals are classified: the file of a merchant's own is as this process has read it."""

from __future__ import annotations

from worker.config.decline_packs import read_decline_file
from worker.doctor.finding import CheckContext, Finding, ok, warning


def declines(context: CheckContext) -> Finding:
    """Warn of a file that has changed since it was read, or that a worker could not start with any more."""
    own = context.runtime.settings.decline_rules
    if own is None:
        return ok("declines", "refusals are classified by Again's rules alone")
    try:
        now = read_decline_file(own.path)
    except ValueError as error:
        return warning(
            "declines",
            f"the rules that were read go on counting, but no process starts with {str(error).splitlines()[0]}",
            f"correct it before anything is restarted: `again declines check {own.path}`",
        )
    if now.rules.own != own.rules.own:
        return warning("declines", f"{own.path} has changed since it was read", "restart the workers and the pages")
    rules = () if own.rules.own is None else own.rules.own.rules
    return ok("declines", f"{len(rules)} rules of your own go before Again's")
