"""Changing the price: a subscription is moved to another version of its plan's price, from its next period on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from worker.changes import price_queries
from worker.changes.kind import ChangePolicy, Circumstances, OrdinaryKind, Subject
from worker.changes.parameters import whole
from worker.changes.price_as_it_stands import first_day, price_sentence
from worker.changes.wording import refuse_parameters, won
from worker.domain.changes import ChangeKind, WaitsFor
from worker.domain.errors import Refused
from worker.domain.previews import Effect
from worker.domain.pricing.amounts import times
from worker.ledger.terms import own_terms
from worker.subscriptions.plans import plan_row

_MOST_VERSIONS = 32_767


@dataclass(frozen=True, slots=True)
class PriceChange:
    """The version that it is moved to; `is_agreed`: the customer has agreed to it already, or need not."""

    version: int
    is_agreed: bool


class ChangePrice(OrdinaryKind):
    """A price that rises waits for the customer's consent unless it has been given; until then the old one goes on."""

    kind = ChangeKind.CHANGE_PRICE

    def read(self, parameters: Mapping[str, Any]) -> PriceChange:
        refuse_parameters(parameters, ("version", "agreed"))
        version = whole(parameters, "version", 1, _MOST_VERSIONS, unit="the plan's versions")
        is_agreed = parameters.get("agreed", False)
        if not isinstance(is_agreed, bool):
            raise Refused(f"The parameter agreed is {is_agreed!r:.40} but must be true or false.")
        return PriceChange(version, is_agreed)

    def waits_for(self, parameters: PriceChange, effect: Effect, policy: ChangePolicy) -> WaitsFor | None:  # noqa: ARG002
        return WaitsFor.CONSENT if effect.needs_consent and not parameters.is_agreed else None

    def apply(self, session: Session, subject: Subject, parameters: PriceChange, given: Circumstances) -> Effect:
        row, terms = subject.subscription, own_terms(session, subject.id)
        plan = plan_row(session, row.plan_code)
        known = {each.version: each for each in price_queries.versions(session, plan.id)}
        if (new := known.get(parameters.version)) is None:
            raise Refused(
                f"Plan {row.plan_code!r} has no version {parameters.version} of its price; it has "
                f"{', '.join(map(str, known))}. `again plan price` adds one."
            )
        before, after = terms.plan.amount, times(new.amounts, terms.quantity).amount
        if (most := after + terms.charged_once) > given.policy.max_amount:
            raise Refused(
                f"The next charge of subscription {row.code} would come to {won(most)}, but the setting "
                f"AGAIN_MAX_AMOUNT allows no charge above {won(given.policy.max_amount)}."
            )
        expected = terms.price_version
        moved = price_queries.set_version(
            session, subject.id, plan_id=plan.id, expected=expected, version=parameters.version
        )
        if expected == parameters.version or not moved:
            raise Refused(f"Subscription {row.code} has version {parameters.version} of its plan's price already.")
        at = first_day(given.at, row.next_charge_at)
        sentence = price_sentence(row.code, at, subject.zone, before, after)
        return Effect(sentence=sentence, needs_consent=after > before, before=before, after=after)
