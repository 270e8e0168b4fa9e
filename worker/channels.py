"""The PGs that `POST /subscribe/payments/again` charges, and what each takes. A table of facts; nothing acts here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Pg:
    """One PG as `again` knows it. Amounts are KRW for one charge.

    100 as the least is documented for Kakao Pay, PAYCO and Toss, and assumed for the others. A `most` of None means
    that no limit is published. `needs` is what it wants with every charge besides what Again sends.
    """

    pg: str  # PortOne's pg_provider (documented)
    name: str
    least: int = 100
    most: int | None = None
    takes_won: bool = True
    needs: str = ""


_PGS = (
    Pg(pg="chai", name="Chai"),
    Pg(pg="danal", name="Danal"),
    Pg(pg="danal_tpay", name="Danal T-Pay"),
    Pg(pg="daou", name="Daou Data"),
    Pg(pg="html5_inicis", name="KG Inicis"),
    Pg(pg="inicis", name="KG Inicis (older)"),
    # Money takes 2,000,000; a card must stay below (documented), but a billing key does not tell which it is.
    Pg(pg="kakaopay", name="Kakao Pay", most=2_000_000),
    Pg(pg="kcp", name="NHN KCP"),
    Pg(pg="kcp_billing", name="NHN KCP (billing)"),
    Pg(pg="kicc", name="KICC EasyPay"),
    Pg(pg="ksnet", name="KSNET", needs="the buyer's data and the product type"),  # documented
    Pg(pg="mobilians", name="KG Mobilians"),
    Pg(pg="naverpay", name="Naver Pay"),
    Pg(pg="nice", name="NICE Payments"),
    Pg(pg="nice_v2", name="NICE Payments (new)"),
    # An account takes 2,000,000 a day and 5,000,000 a month (documented); a card through PAYCO has no such limit.
    Pg(pg="payco", name="PAYCO"),
    Pg(pg="paymentwall", name="Paymentwall", needs="the buyer's data"),  # documented
    Pg(pg="paypal_v2", name="PayPal", takes_won=False),  # documented: any currency but KRW
    Pg(pg="settle", name="Hecto Financial"),
    Pg(pg="settle_acc", name="Hecto Financial (account)"),
    Pg(pg="smartro_v2", name="Smartro", needs="the buyer's data"),  # documented
    Pg(pg="tosspay_v2", name="Toss Pay"),
    Pg(pg="tosspayments", name="Toss Payments"),
    Pg(pg="welcome", name="Welcome Payments", needs="the buyer's data"),  # documented
)

PGS: Mapping[str, Pg] = {each.pg: each for each in _PGS}

EXPECTED = "PortOne's code of a PG, such as kakaopay or payco (`again key add --help` names all)"


def objection(pg: str, amount: int) -> str | None:
    """Say why a PG cannot take this many won at once; None when it can, as far as is known."""
    facts = PGS[pg]
    if not facts.takes_won:
        return f"{facts.name} takes no KRW"
    if amount < facts.least:
        return f"{facts.name} takes no less than {facts.least:,} KRW at once"
    if facts.most is not None and amount > facts.most:
        return f"{facts.name} takes no more than {facts.most:,} KRW at once"
    return None
