"""One rule of the grammar of refusals, and the words that several rules share."""

from __future__ import annotations

import re
from dataclasses import dataclass

from worker.domain.declines.verdicts import DeclineVerdict


@dataclass(frozen=True, slots=True)
class Rule:
    """A state, and what it means of each party; None where it means nothing, so that later rules are asked."""

    said: re.Pattern[str]
    customer: DeclineVerdict | None
    merchant: DeclineVerdict | None
    system: DeclineVerdict | None
    service: DeclineVerdict | None
    unnamed: DeclineVerdict | None


def rule(
    said: str,
    every: DeclineVerdict | None = None,
    *,
    customer: DeclineVerdict | None = None,
    merchant: DeclineVerdict | None = None,
    system: DeclineVerdict | None = None,
    service: DeclineVerdict | None = None,
    unnamed: DeclineVerdict | None = None,
) -> Rule:
    return Rule(
        said=re.compile(said, re.IGNORECASE),
        customer=customer or every,
        merchant=merchant or every,
        system=system or every,
        service=service or merchant or every,
        unnamed=unnamed or every,
    )


KIND_OF_CARD = (
    "(?:제휴|해외(?:발행|발급)?|국내(?:발행|발급|전용)?|외국|국외|법인|기업|개인|체크|선불|직불|기프트|gift|해당|당해|본|이|타사|비자|마스터|아멕스|은련|복지|지역|외화"
    "|가족|특정|선택하신|요청하신|입력하신|고객님의?|비씨|bc|국민|신한|삼성|현대|롯데|우리|하나|농협|씨티)"
)
SHOP = "(?:가맹점|상점|쇼핑몰|업체|업소|매장|업종|채널)"
REFUSED = "(?:불가|제한|거절|거부|금지|차단|불능|안됨|안됩|안되|없는|없습|않)"
NOT = r"(?![^.]{0,8}(?:아닙|아님|않|안된|없|불가|불능|실패|할수|가능합))"  # "not overdue", "cannot be deleted"
ABSENT = (
    r"미등록|등록(?:이|되어)?(?:되지|되어)?(?:않|있지않|안)|등록된[^.]{0,14}?(?:없|찾을수)|존재하지|미존재|부존재"
    r"|(?<!수)(?<!수가)없(?:습|음|는|거나|$|\W)|발급되지않은|찾을수없|찾지못|부재"
    r"|not[\s_]?found|(?:not|un)[\s_-]?registered|does not exist|no such|unknown(?! error)"
)
ENDED = (
    r"해지|해약|정지|중지|말소|폐기|탈퇴|삭제|폐쇄|휴면|비활성|종료|만료|무효|효력상실|거래중지|사용중단"
    r"|suspended|terminated|deleted|closed|deactivated|inactive|expired|revoked|blocked|disabled"
)
