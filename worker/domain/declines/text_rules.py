"""What a Korean or English refusal says, about whom: read by rules, where no code of the PG's is known.

A state (suspended, terminated, not registered, over the limit ...) means one thing of the customer's card, account or
key, and another of the merchant, its contract, its certificate or its PG. So each rule gives a verdict per party, and
the party is the nearest noun: "정지된 카드" is a dead card, "거래정지 업체" a suspended merchant.
A rule whose party stays unknown and matters does not apply: killing a key takes a noun of the customer's side.
"""

from __future__ import annotations

import re
from enum import Enum

from worker.domain.declines.rule import Rule
from worker.domain.declines.rules import RULES
from worker.domain.declines.texts import squeezed
from worker.domain.declines.verdicts import DeclineVerdict
from worker.domain.outcomes import DeclineKind

AFTER, BEFORE = 8, 14
"""Most letters between a state and the noun after it, or before it."""


LONGEST = 1000
"""Letters of a text that are read: each state is compared with each noun, and no PG's reason is longer."""


class Party(Enum):
    MERCHANT = "merchant"  # also its contract, certificate, terminal, address, module, and the PG it is known to
    SYSTEM = "system"  # a bank, a card company, a server
    CUSTOMER = "customer"  # also the card, the account, the key, the password
    SERVICE = "service"  # whose, the text does not say: the merchant's, but where a use of it is counted


_PARTIES: tuple[tuple[Party, str], ...] = (
    # What is longer comes first: a card company is no card, a merchant's account none of the customer's.
    (Party.MERCHANT, r"(?:가맹점|상점|업체|쇼핑몰)의?(?:입금|정산|환불)?(?:계좌|카드|비밀번호|키|고객번호)"),
    (
        Party.MERCHANT,
        r"카드가맹점|가맹점|독립가맹|pg업체|업체|업소|상점|쇼핑몰|서브몰|하위몰|판매자|사업자|업종|파트너|매장|점포",
    ),
    (
        Party.MERCHANT,
        r"(?<![a-z])(?:submall|mall|mid|cid|cpid|gid|tid|moid|merchant|seller|partner_id|pg)(?![a-z])|대표아이디",
    ),
    (
        Party.MERCHANT,
        r"계약|약정|가맹|공인인증서|인증서|ssl|모듈|사이트|앱키|시크릿키?|(?:api|license|secret)[\s_]?key|라이[선센]스",
    ),
    (
        Party.MERCHANT,
        r"(?<![a-z])ip(?![a-z])|아이피|단말기?(?:번호|id|아이디)|터미[널날]|terminal|채널|channel|기준정보|환율",
    ),
    (
        Party.SYSTEM,
        (
            r"카드사(?!용)|은행|금융기관|결제기관|대외기관|참가기관|개설기관|제휴사|발급사|회원사|밴사|van사?"
            r"|시스템|서버|system|server"
        ),
    ),
    (Party.CUSTOMER, r"(?:자동결제|정기결제|자동이체|빌링|간편결제)(?:서비스|정보)?(?:키|key)?"),
    (
        Party.CUSTOMER,
        (
            r"빌키|bill(?:ing)?[\s_]?key"
            r"|(?<![a-z])(?:bid|sid|card|account|customer|cardholder|buyer|payer|user)(?![a-z])"
        ),
    ),
    (
        Party.CUSTOMER,
        (
            r"카드(?!(?:거래|결제|승인)(?:가|이|를|내역|정보|건))|(?<!가상)계좌(?!이체)|통장|고객(?!센터)|회원"
            r"|구매자|예금주|명의"
        ),
    ),
    (
        Party.CUSTOMER,
        (
            r"(?:사용자|이용자)(?!증가|가많|취소)|본인"
            r"|(?:휴대폰|핸드폰|휴대전화)(?!(?:거래|결제)(?:가|이|를|내역))|전화번호|비밀번호|결제수단|지갑"
            r"|수표"
        ),
    ),
    (Party.SERVICE, r"서비스"),
)
_NOUN = re.compile("|".join(f"(?P<p{place}>{pattern})" for place, (_, pattern) in enumerate(_PARTIES)), re.IGNORECASE)

_Nouns = list[tuple[int, int, Party]]


def classify_text(text: str) -> DeclineVerdict:
    """Return what a text says of whom; UNMATCHED where no rule knows it."""
    said = squeezed(text[:LONGEST])
    nouns = [
        (found.start(), found.end(), _PARTIES[int((found.lastgroup or "p0")[1:])][0]) for found in _NOUN.finditer(said)
    ]
    return next((verdict for rule in RULES if (verdict := _by(rule, said, nouns)) is not None), DeclineKind.UNMATCHED)


def _by(rule: Rule, said: str, nouns: _Nouns) -> DeclineVerdict | None:
    parties = {_party(said, found.start(), found.end(), nouns) for found in rule.said.finditer(said)}
    # Where a text says it of several, the merchant's side counts: no key is killed in doubt.
    for party, verdict in (
        (Party.MERCHANT, rule.merchant),
        (Party.SERVICE, rule.service),
        (Party.SYSTEM, rule.system),
        (Party.CUSTOMER, rule.customer),
        (None, rule.unnamed),
    ):
        if party in parties and verdict is not None:
            return verdict
    return None


def _party(said: str, start: int, end: int, nouns: _Nouns) -> Party | None:
    """Return of whom a state at this place is said: the noun it stands before, else the one it stands after."""
    inside = [party for at, until, party in nouns if start <= at and until <= end]
    after = [(at, party) for at, _, party in nouns if end <= at <= end + AFTER and not _parted(said[end:at])]
    before = [
        (until, party)
        for _, until, party in nouns
        if start - BEFORE <= until <= start and not _parted(said[until:start], ".")
    ]
    if after:
        return min(after)[1]
    if inside:
        return inside[0]
    return max(before)[1] if before else None


def _parted(between: str, by: str = ".,;/()[]-:") -> bool:
    return any(letter in between for letter in by)
