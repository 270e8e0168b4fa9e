"""How a use case refuses: one exception, whose text is the sentence for the operator, and its code for hosts."""

from __future__ import annotations

from enum import StrEnum


class RefusalCode(StrEnum):
    """Why something was refused, as far as a customer can be the reason; `worker.domain.refusals` has the sentences."""

    BUSY = "busy"  # something is under way: the same can be asked for in a while
    CHANGED = "changed"  # it comes to something else by now than was shown
    CONTRADICTS = "contradicts"  # another change is planned that it does not go with
    DISCOUNT_CODE = "discount_code"  # unknown, ended, or used
    HAS_PLAN = "has_plan"  # the customer has a running subscription to that plan
    HOW_TO_PAY = "how_to_pay"  # none was chosen, or none that there is
    LINK = "link"  # the link was used, has expired, or leads to nothing
    NOTHING_CHANGES = "nothing_changes"
    NOTHING_LEFT = "nothing_left"  # to refund, or less than was asked for
    NOT_PAID = "not_paid"
    NOT_YOURS = "not_yours"  # there is none, or it is another customer's
    OTHER = "other"  # a mistake of the host's, or for an operator
    OVER = "over"  # canceled, ended or void, for good
    PAID = "paid"
    TOO_HIGH = "too_high"  # above the highest amount
    TOO_LATE = "too_late"  # it has been applied, or has ended
    WRONG_DATE = "wrong_date"  # in the past, or too far ahead
    WRONG_STATE = "wrong_state"  # as it stands, such as paused, it does not go


class Refused(ValueError):
    """What was asked for cannot be done, and nothing was changed. The text says what, where and what to do."""

    def __init__(self, sentence: str = "", *, code: RefusalCode = RefusalCode.OTHER) -> None:
        super().__init__(sentence)
        self.code = code


class RateLimited(Refused):
    """A checkout was looked up at PortOne too often, so it waits for a moment; nothing was changed."""

    def __init__(self) -> None:
        super().__init__(
            "PortOne was asked about this a moment ago. Try again in a few seconds.", code=RefusalCode.BUSY
        )
