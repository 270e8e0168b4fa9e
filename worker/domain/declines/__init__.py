"""What a refusal means: by the PG's own code, else by what its words say of whom.

    ambiguous_texts  say "already", "duplicate" or "no answer": no decline, look it up; asked before anything else
    tables           the PG's documented codes
    text_rules       what is said of the merchant's side against what is said of the customer's

V1 hands the PG's text through as one string, usually with the PG's code in brackets before the reason (seen in client
code). Texts change, so one that nothing knows is UNMATCHED, which is treated cautiously and reported, never guessed at.
"""

from __future__ import annotations

from worker.domain.declines import ambiguous_texts, text_rules
from worker.domain.declines.ambiguous_texts import says_paid
from worker.domain.declines.tables import CODES, MONTHLY_QUOTA_CODES, RELAY_PREFIXES
from worker.domain.declines.texts import alike, codes_in, codes_only
from worker.domain.declines.verdicts import DeclineVerdict, Duplicate, NeedsLookUp
from worker.domain.outcomes import DeclineKind

__all__ = [
    "CODES",
    "MONTHLY_QUOTA_CODES",
    "RELAY_PREFIXES",
    "DeclineVerdict",
    "Duplicate",
    "NeedsLookUp",
    "alike",
    "classify",
    "codes_only",
    "says_paid",
    "says_quota_is_spent",
]


def classify(pg: str, code: str | None, text: str | None) -> DeclineVerdict:
    """Return what a refusal by this PG means; `code` is the PG's where it comes apart from the text.

    Of several codes in one text the first counts, unless another leaves it open whether money moved.
    """
    said = text or ""
    if ambiguous_texts.says_before(said):
        return Duplicate
    if ambiguous_texts.leaves_it_open(said):
        return NeedsLookUp
    table = CODES.get(pg, {})
    verdicts = [table[candidate] for candidate in codes_in(pg, code, said) if candidate in table]
    if verdicts:
        return next((verdict for verdict in verdicts if not isinstance(verdict, DeclineKind)), verdicts[0])
    return text_rules.classify_text(said)


def says_quota_is_spent(pg: str, text: str | None) -> bool:
    """Return whether a refusal says that the key's monthly quota is used up: it can be charged next month."""
    found = next((each for each in codes_in(pg, None, text or "") if each in CODES.get(pg, {})), None)
    return found in MONTHLY_QUOTA_CODES.get(pg, ())
