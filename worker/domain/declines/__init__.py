"""What a refusal means: by the PG's own code, else by what its words say of whom. Rules are data, in `packs/`.

    ambiguous_texts  say "already", "duplicate" or "no answer": no decline, look it up; asked before anything else
    rules            the values of rules: PGs' documented codes, words at any PG, and a merchant's own
    pack_reader      a file of ours becomes a pack; own_rules does the same for a merchant's
    text_rules       what is said of the merchant's side against what is said of the customer's

V1 hands the PG's text through as one string, usually with the PG's code in brackets before the reason (seen in client
code). Texts change, so one that nothing knows is UNMATCHED, which is treated cautiously and reported, never guessed at.

Rules are read once and handed to `classify` as a value (`worker.config.decline_packs`). A merchant's own rule goes
before ours and says the kind of a decline; what is no decline by ours stays none.
"""

from __future__ import annotations

from dataclasses import dataclass

from worker.domain.declines import ambiguous_texts, text_rules
from worker.domain.declines.ambiguous_texts import says_paid
from worker.domain.declines.rules import CodeRule, DeclineRules, OwnRule, Rule
from worker.domain.declines.texts import alike, codes_in, codes_only, impersonal, searched, without_answer_code
from worker.domain.declines.verdicts import DeclineVerdict, Duplicate, NeedsLookUp
from worker.domain.outcomes import About, DeclineKind

__all__ = [
    "Decision",
    "DeclineRules",
    "DeclineVerdict",
    "Duplicate",
    "NeedsLookUp",
    "alike",
    "classify",
    "codes_only",
    "impersonal",
    "known_codes",
    "own_rule",
    "says_paid",
    "without_answer_code",
]


@dataclass(frozen=True, slots=True)
class Decision:
    """What a refusal means, and the rule that says so; without one, no rule knows it, or its words leave it open.

    `ours` is what it means without the merchant's own rules.
    """

    verdict: DeclineVerdict
    about: About | None = None
    rule: Rule | None = None
    ours: DeclineVerdict = DeclineKind.UNMATCHED

    @property
    def supposed(self) -> DeclineKind | None:
        """The decline for which nothing but a merchant's own rule takes it; None: ours know it, or no rule does."""
        if isinstance(self.rule, OwnRule) and self.ours is DeclineKind.UNMATCHED:
            return self.rule.kind
        return None

    @property
    def kind_once_quiet(self) -> DeclineKind:
        """The kind of decline by a `failed` record of PortOne's, once no send of its merchant_uid can still land.

        "Already", of no payment, is outweighed by the record.
        """
        if isinstance(self.verdict, DeclineKind):
            return self.verdict
        return DeclineKind.UNMATCHED if self.verdict is Duplicate else DeclineKind.TRANSIENT


def classify(rules: DeclineRules, pg: str, code: str | None, text: str | None) -> Decision:
    """Return what a refusal by this PG means; `code` is the PG's where it comes apart from the text.

    Of several codes in one text the first counts, unless another leaves it open whether money moved.
    """
    ours = _by_ours(rules, pg, code, text or "")
    if not isinstance(ours.verdict, DeclineKind):
        return ours
    own = own_rule(rules, pg, code, text or "")
    if own is None:
        return ours
    about = own.about or (ours.about if own.kind is ours.verdict else None)
    return Decision(own.kind, about, own, ours.verdict)


def own_rule(rules: DeclineRules, pg: str, code: str | None, text: str) -> OwnRule | None:
    """Return the first of a merchant's own rules that fits a refusal."""
    if rules.own is None:
        return None
    codes, said = codes_in(code, text, prefix=rules.prefixes.get(pg, "")), searched(text[: text_rules.LONGEST])
    return next((rule for rule in rules.own.rules if rule.fits(pg, codes, said)), None)


def known_codes(rules: DeclineRules, pg: str, code: str | None, text: str) -> list[CodeRule]:
    """Return the rules of the PG's codes that come with a refusal, in the order of its codes."""
    table = rules.codes.get(pg, {})
    return [table[each] for each in codes_in(code, text, prefix=rules.prefixes.get(pg, "")) if each in table]


def _by_ours(rules: DeclineRules, pg: str, code: str | None, said: str) -> Decision:
    known = known_codes(rules, pg, code, said)
    about = known[0].about if known else None
    if ambiguous_texts.says_before(said):
        return Decision(Duplicate, about, None, Duplicate)
    if ambiguous_texts.leaves_it_open(said):
        return Decision(NeedsLookUp, about, None, NeedsLookUp)
    if known:
        decides = next((rule for rule in known if not isinstance(rule.verdict, DeclineKind)), known[0])
        return Decision(decides.verdict, about, decides, decides.verdict)
    reading = next(text_rules.readings(rules, said), None)
    if reading is None:
        return Decision(DeclineKind.UNMATCHED)
    return Decision(reading.verdict, reading.rule.about, reading.rule, reading.verdict)
