"""A PG's text made comparable: one Unicode form, no spaces between Korean words, and the codes in it."""

from __future__ import annotations

import re
import unicodedata

from worker.domain.outcomes import DeclineKind

# In brackets; or a name in capitals; or a negative number that is no part of a telephone number. Korean letters may
# follow at once, so these are not \b and \w.
_CODES = re.compile(
    r"[\[(【〔]\s*(-?[A-Za-z0-9_]{2,40})\s*[\])】〕]"
    r"|(?<![A-Za-z0-9_])([A-Z]{2,}(?:_[A-Z]+)+)(?![A-Za-z0-9_])"
    r"|(?<![A-Za-z0-9_-])(-[0-9]{1,4})(?![A-Za-z0-9_-])"
)
_INVISIBLE = re.compile(r"[\u00ad\u200b-\u200f\u2060\ufeff]")
_SPACES_IN_KOREAN = re.compile(r"(?<=[가-힣])\s+(?=[가-힣A-Za-z])|(?<=[A-Za-z])\s+(?=[가-힣])")
_TELEPHONE = re.compile(r"(?:tel\.?|☎)?\s*\(?0?\d{2,4}\)?[-)~ ]\d{3,4}(?:-\d{4})?(?:\(\d+\))?", re.IGNORECASE)
_LONG_NUMBER = re.compile(r"\d{5,}")
_MASKED_NUMBER = re.compile(r"(?<![0-9*])[0-9*]*\d[0-9*-]*\*[0-9*-]*|\d{3,}(?:-\d{2,}){2,}")
_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}")
_NAME = re.compile(r"(?<![가-힣])(?!고객|회원|구매자|사용자|이용자|판매자|가맹점)[가-힣]{2,4}(?=\s?님)")
ALIKE_LENGTH, SHOWN_LENGTH = 120, 200

_QUOTED = re.compile(rf"(?:^|\()(?:{'|'.join(DeclineKind)}): (.*)$", re.DOTALL)
_ANSWER_CODE = re.compile(r"^-?[0-9]{1,4}(?= |$)")
_PORTONES_CODE = re.compile(r"^-?\d+\s+")
_BRACKETED_CODE = re.compile(r"\[(?=[^]]*[0-9_])-?[A-Za-z0-9_]{2,40}\]")


def normalized(text: str) -> str:
    """Return a text in NFKC (Korean letters composed, full-width ones narrow), without invisible characters."""
    return _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).strip()


def squeezed(text: str) -> str:
    """Return a normalised text without the spaces around Korean letters, which every PG puts elsewhere."""
    return _SPACES_IN_KOREAN.sub("", normalized(text))


def searched(text: str) -> str:
    """Return a text as the words of a merchant's rules are looked for in it: squeezed, and in lower case."""
    return squeezed(text).casefold()


def codes_in(code: str | None, text: str, *, prefix: str = "") -> list[str]:
    """Return the PG's codes that come with a refusal, the one apart from the text first.

    Those that begin with `prefix`, with which another PG relays them, come once more without it.
    """
    found = [code] if code else []
    found += [next(filter(None, groups)) for groups in _CODES.findall(normalized(text))]
    return found + [each.removeprefix(prefix) for each in found if prefix and each.startswith(prefix)]


def codes_only(reason: str) -> str:
    """Return a reason without the PG's words that it quotes, which may name the buyer: the kind and the codes stay.

    For logs; the audit does the same by a trigger.
    """
    quoted = _QUOTED.search(reason)
    if quoted is None:
        return reason
    said = quoted[1]
    codes = [*_ANSWER_CODE.findall(said), *_BRACKETED_CODE.findall(said)]
    return " ".join([reason[: quoted.start(1) - 1], *codes])


def without_answer_code(text: str) -> str:
    """Return a refusal as it is kept, PortOne's own code and the PG's words, without that code."""
    return _PORTONES_CODE.sub("", text)


def alike(text: str) -> str:
    """Return what two customers' refusals have in common when they say the same: no telephone or account number."""
    said = _TELEPHONE.sub("", squeezed(text).casefold())
    return _LONG_NUMBER.sub("#", said)[:ALIKE_LENGTH]


def impersonal(text: str) -> str:
    """Return a refusal without what may name the buyer: telephone, account and card numbers, addresses, "...님"."""
    said = _EMAIL.sub("@", normalized(text))
    said = _LONG_NUMBER.sub("#", _TELEPHONE.sub(" #", _MASKED_NUMBER.sub("#", said)))
    return _NAME.sub("○○", said)[:SHOWN_LENGTH]
