"""The PGs that `POST /subscribe/payments/again` charges, and what each can do: a table of facts. Pure.

A new PG is one entry, with whatever is known of it; its payment window is refused where too little is known.
"""

from __future__ import annotations

from collections.abc import Mapping

from worker.domain.errors import Refused
from worker.pg.facts import (
    REDIRECT_URL,
    CardRoute,
    KeyRegistration,
    MerchantUidRule,
    Pg,
    RefundFacts,
    ResultDelivery,
    WindowCapabilities,
)
from worker.pg.wallets import KAKAOPAY, PAYCO

# Both calls that make a key out of card data name their PGs (documented).
_BY_CARD = frozenset(CardRoute)
_BY_FIRST_PAYMENT = frozenset({CardRoute.FIRST_PAYMENT})

_CARD = frozenset({"card"})
_STATES_TAX_FREE = RefundFacts(states_tax_free=True)  # documented for kcp, kicc, nice and payco
_NAMES_REQUESTER = RefundFacts(names_requester=True)  # documented for naverpay

# "Key and charge in one window" and "key only" are two lists of PortOne's (documented); the pages of single PGs say
# which of the latter show an amount. That 0 registers the key only is documented for Kakao Pay, assumed for the others.
_CHARGES = WindowCapabilities(keys=KeyRegistration.CHARGES)
_KEY_ONLY = WindowCapabilities(keys=KeyRegistration.KEY_ONLY)

_PGS = (
    KAKAOPAY,
    PAYCO,
    # Documented: `trans` only, the amount is shown, and the page is redirected on a PC too.
    Pg(
        pg="chai",
        name="Chai",
        window=WindowCapabilities(
            keys=KeyRegistration.SHOWS, key_methods=frozenset({"trans"}), on_pc=frozenset({ResultDelivery.REDIRECT})
        ),
    ),
    Pg(pg="danal", name="Danal", window=_CHARGES),
    Pg(pg="danal_tpay", name="Danal T-Pay", window=_CHARGES),
    Pg(pg="daou", name="Daou Data", card_routes=_BY_CARD),
    Pg(
        pg="html5_inicis",
        name="KG Inicis",
        takes_vat_amount=True,  # documented
        card_routes=_BY_CARD,
        window=WindowCapabilities(
            keys=KeyRegistration.SHOWS,  # documented
            payment_requires=REDIRECT_URL | {"buyer_tel", "pay_method"},  # documented
            key_methods=_CARD,  # documented
            vat_amount=True,  # documented on its own page, though the SDK's leaves it out
        ),
    ),
    # Keys by API only (documented), yet named in neither list of PGs that make them from card data.
    Pg(pg="inicis", name="KG Inicis (older)", window=WindowCapabilities(payments=False)),
    Pg(
        pg="kcp",
        name="NHN KCP",
        card_routes=_BY_CARD,
        window=WindowCapabilities(
            payment_requires=REDIRECT_URL | {"pay_method"}
        ),  # documented; its key window is kcp_billing
        refunds=_STATES_TAX_FREE,
    ),
    Pg(
        pg="kcp_billing",
        name="NHN KCP (billing)",
        window=WindowCapabilities(payments=False, keys=KeyRegistration.SHOWS, key_methods=_CARD),  # documented
    ),
    Pg(pg="kicc", name="KICC EasyPay", window=_KEY_ONLY, refunds=_STATES_TAX_FREE),
    Pg(
        pg="ksnet",
        name="KSNET",
        charge_requires="the buyer's name and the product type",  # documented
        card_routes=_BY_CARD,
    ),
    # 4 characters at least are documented for the newer Mobilians, and assumed for this one.
    Pg(
        pg="mobilians",
        name="KG Mobilians",
        merchant_uid=MerchantUidRule(pattern=r"[A-Za-z0-9_-]{4,40}", expected="4 to 40 of A-Z, a-z, 0-9, - and _"),
        window=_CHARGES,
    ),
    Pg(
        pg="naverpay",
        name="Naver Pay",
        name_ko="네이버페이",
        min_amount=10,  # documented
        window=WindowCapabilities(
            keys=KeyRegistration.SHOWS,  # documented
            unsupported="naverProducts for a payment, naverProductCode and naverProductCount for a key",  # documented
        ),
        refunds=_NAMES_REQUESTER,
    ),
    Pg(
        pg="nice",
        name="NICE Payments",
        takes_vat_amount=True,
        card_routes=_BY_CARD,
        window=WindowCapabilities(vat_amount=True),  # documented
        refunds=_STATES_TAX_FREE,
    ),
    Pg(
        pg="nice_v2",
        name="NICE Payments (new)",
        takes_vat_amount=True,
        card_routes=_BY_CARD,
        window=WindowCapabilities(
            vat_amount=True,  # documented for "NICE Payments"; that this means both modules is assumed
            payment_requires=REDIRECT_URL | {"buyer_tel", "pay_method"},  # documented
        ),
    ),
    Pg(
        pg="paymentwall",
        name="Paymentwall",
        charge_requires="the buyer's e-mail and network address",  # documented
        card_routes=_BY_FIRST_PAYMENT,
        window=WindowCapabilities(
            keys=KeyRegistration.CHARGES,
            payment_requires=REDIRECT_URL | {"buyer_email"},  # documented
            key_requires=REDIRECT_URL | {"buyer_email"},  # documented
        ),
    ),
    Pg(pg="paypal_v2", name="PayPal", takes_won=False, window=_KEY_ONLY),  # documented: any currency but KRW
    Pg(pg="settle", name="Hecto Financial", card_routes=_BY_FIRST_PAYMENT),
    Pg(pg="settle_acc", name="Hecto Financial (account)", window=_CHARGES),
    Pg(
        pg="smartro_v2",
        name="Smartro",
        charge_requires="the buyer's name, e-mail address and telephone number",  # documented
        merchant_uid=MerchantUidRule(
            pattern=r"[A-Za-z0-9]{1,40}", expected="1 to 40 of A-Z, a-z and 0-9"
        ),  # documented
        window=_KEY_ONLY,
    ),
    Pg(
        pg="tosspay_v2",
        name="Toss Pay",
        name_ko="토스페이",
        takes_vat_amount=True,
        window=WindowCapabilities(keys=KeyRegistration.KEY_ONLY, vat_amount=True),  # documented
    ),
    Pg(
        pg="tosspayments",
        name="Toss Payments",
        card_routes=_BY_CARD,
        window=WindowCapabilities(
            keys=KeyRegistration.SHOWS,  # documented
            payment_requires=REDIRECT_URL | {"buyer_name"},  # documented
            key_methods=_CARD,  # documented
        ),
    ),
    Pg(
        pg="welcome",
        name="Welcome Payments",
        charge_requires="the buyer's name",  # documented
        takes_vat_amount=True,
        card_routes=_BY_CARD,
        window=WindowCapabilities(keys=KeyRegistration.UNDOCUMENTED),  # that there is one is documented
        refunds=_STATES_TAX_FREE,  # documented, for merchants that work their VAT out themselves
    ),
)

PGS: Mapping[str, Pg] = {each.pg: each for each in sorted(_PGS, key=lambda each: each.pg)}

MINIMUM = max(each.min_amount for each in _PGS)
"""The least that every PG takes at once, in won: what comes to less waits for the next charge, whatever its key is."""

PGS_NAMING_REQUESTER = frozenset(pg for pg, facts in PGS.items() if facts.refunds.names_requester)

PGS_TAKING_VAT_AMOUNT = frozenset(pg for pg, facts in PGS.items() if facts.takes_vat_amount)

EXPECTED_PG = "PortOne's code of a PG, such as kakaopay or payco (`again key add --help` names all)"


class NotSupported(Refused):
    """A PG cannot do what was asked for, so nothing was sent."""


def states_vat(pg: str) -> bool:
    """Return whether VAT can be stated with a payment of a PG, by `again` or in its window, and so with its refund."""
    facts = PGS.get(pg)
    return facts is not None and (facts.takes_vat_amount or facts.window.vat_amount)


def limit_objection(pg: str, amount: int) -> str | None:
    """Return why a PG cannot take this many won at once; None when it can, as far as is known."""
    facts = PGS[pg]
    if not facts.takes_won:
        return f"{facts.name} takes no KRW"
    if amount < facts.min_amount:
        return f"{facts.name} takes no less than {facts.min_amount:,} KRW at once"
    if facts.max_amount is not None and amount > facts.max_amount:
        return f"{facts.name} takes no more than {facts.max_amount:,} KRW at once"
    return None


def charges_in_window(pg: str) -> bool:
    """Return whether a PG's window can register a key and charge a payment in one go."""
    return PGS[pg].window.keys is KeyRegistration.CHARGES


def require_key_by_api(pg: str, route: CardRoute = CardRoute.ISSUE) -> None:
    """Raise NotSupported for a PG whose billing keys PortOne does not create from card data.

    To be called before any request: card data that cannot be used should not travel.
    """
    facts = PGS.get(pg)
    if facts is None:
        raise NotSupported(f"Not supported. {pg!r:.40} is no PG that Again knows; give {EXPECTED_PG}.")
    if route in facts.card_routes:
        return
    instead = ""
    if facts.window.keys is not KeyRegistration.NONE:
        instead = " Keys are registered by the customer, in the PG's payment window."
    raise NotSupported(
        f"Not supported. {facts.name} makes no billing keys from card data ({route}), as far as is documented.{instead}"
    )
