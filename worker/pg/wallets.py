"""Kakao Pay and PAYCO, the two PGs whose facts are complete, each with its source."""

from __future__ import annotations

from worker.pg.facts import (
    CustomerNotice,
    KeyRegistration,
    MerchantIds,
    Pg,
    RefundFacts,
    ResultDelivery,
    WindowCapabilities,
    WindowUse,
)

KAKAOPAY = Pg(
    pg="kakaopay",
    name="Kakao Pay",
    name_ko="카카오페이",
    # Money takes 2,000,000; a card must stay below (documented), but a billing key does not tell which it is.
    max_amount=2_000_000,
    card_below=2_000_000,  # documented
    test_card_below=1_000_000,  # documented
    monthly_quota=True,  # documented, as -752; the figure is not published
    window=WindowCapabilities(
        keys=KeyRegistration.CHARGES,  # documented: 0 for the key only, more is an initial payment
        # The customer picks card or money in the app, whatever was given; the choice stays (documented).
        ignores_method=frozenset(WindowUse),
        options=frozenset({"kakaopayMobileAsPC", "bypass.kakaopay"}),  # documented
        on_phones=frozenset({ResultDelivery.REDIRECT}),  # documented; an older manual had the callback on both
        notice=CustomerNotice(  # documented
            ko="카카오페이 결제는 휴대폰의 카카오 앱에서 진행됩니다.",
            en="Kakao Pay is completed in the Kakao app on your phone.",
        ),
    ),
    ids=MerchantIds(
        # Documented. Contracts are one-time or recurring, each with its own CID and so its own channel.
        one_time_tests=frozenset({"TC0ONETIME"}),
        recurring_tests=frozenset({"TCSUBSCRIP"}),
        live=r"CA\w+",  # documented: begins with CA; what follows is assumed
    ),
    refunds=RefundFacts(money_years=5, in_parts=True),  # documented; in parts: assumed
)

PAYCO = Pg(
    pg="payco",
    name="PAYCO",
    name_ko="페이코(PAYCO)",
    # An account takes 2,000,000 a day and 5,000,000 a month (documented); a card through PAYCO has no such limit.
    account_daily_limit=2_000_000,
    account_monthly_limit=5_000_000,
    call_confirmation_from=300_000,  # documented
    window=WindowCapabilities(
        keys=KeyRegistration.SHOWS,  # documented
        payment_requires=frozenset({"buyer_tel"}),  # documented
        key_requires=frozenset(),  # documented: here a telephone number is optional
        methods=frozenset({"card", "trans", "vbank"}),  # documented
        ignores_method=frozenset({WindowUse.REGISTRATION}),  # documented: set when the registration is complete
        options=frozenset({"popup"}),  # documented: on phones an iframe unless it is true
        # The documents contradict each other: a redirect on phones, or the callback everywhere. Both are to be met.
        on_phones=frozenset(ResultDelivery),
        key_notice=CustomerNotice(  # documented
            ko="페이코 창에 표시되는 금액은 자동결제를 등록할 때 결제되지 않습니다.",
            en="The amount in PAYCO's window is not charged while you register for automatic payments.",
        ),
    ),
    ids=MerchantIds(  # documented; a live id is a CPID with a ProductID and a SellerKey, of no known look
        one_time_tests=frozenset({"PARTNERTEST"}), recurring_tests=frozenset({"AUTOPAY"})
    ),
    refunds=RefundFacts(is_final=True, states_tax_free=True, in_parts=True),  # documented; in parts: assumed
)
