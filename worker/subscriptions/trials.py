"""Free trials that a consent given at their beginning is too old for, once they end. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from schedules.plans import Plan

LONGEST_WITH_CONSENT = 30
"""Days. A free service becomes a paid one only with consent given within the 30 days before that: Act on the Consumer
Protection in Electronic Commerce, article 13(6), in force since 14 February 2025, as public pages report it."""

REMEDY = "Ask these customers once more before their trial ends, or sell a plan with a shorter one."


def too_long(plans: Iterable[Plan]) -> str | None:
    """Say which of these plans have a trial that is longer than a consent is good for, and why; None when none has."""
    long = {plan.code: plan.trial_days for plan in plans if plan.trial_days > LONGEST_WITH_CONSENT}
    if not long:
        return None
    named = ", ".join(f"{code} ({days} days)" for code, days in sorted(long.items()))
    return (
        f"Trial of more than {LONGEST_WITH_CONSENT} days: {named}. Consent to a first charge must be given within the "
        f"{LONGEST_WITH_CONSENT} days before it (E-Commerce Act 13(6)), and Again asks for it at the beginning only."
    )
