"""Why a term of a plan cannot be used, in a sentence for its author."""

from __future__ import annotations

from typing import ClassVar


class InvalidTerm(ValueError):
    """A text or value that is no usable term of a plan; `reason` is the clause that completes "cannot be used: ..."."""

    term: ClassVar[str]  # what the text should have been, as a sentence begins
    remedy: ClassVar[str]  # a whole sentence: how such a term is written

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(text, reason)
        self.text = text
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.term} {self.text!r:.110} cannot be used: {self.reason}. {self.remedy}"


class InvalidCadence(InvalidTerm):
    """A cadence that cannot be billed."""

    term = "Cadence"
    remedy = "Write for example 'month', '2 weeks', 'year' or 'cron 0 9 1 * *'."


class InvalidDunning(InvalidTerm):
    """A dunning calendar that cannot be kept."""

    term = "Dunning calendar"
    remedy = (
        "Write for example '1,3,5,7' for retries that many days after the first decline, 'none', or "
        "'1,3,5,7; balance 1,payday; no weekends; no holidays'."
    )


class InvalidArrears(InvalidTerm):
    """A number of unpaid periods that no new key can be charged with."""

    term = "Arrears"
    remedy = "Write for example 'all', 'newest 1' or 'none': how many unpaid periods a new billing key pays."


class InvalidNotices(InvalidTerm):
    """Notices that no customer can get."""

    term = "Notices"
    remedy = "Write for example 'renewal 7, trial 7, price 30, declined, paid, refunded, canceled', or 'none'."


class InvalidOpenHours(InvalidTerm):
    """Hours and maintenance of a PG that cannot be kept."""

    term = "Open hours"
    remedy = (
        "Write hours such as '08:00-22:00', and maintenance such as '23:30-00:30', 'sun 02:00-06:00' or "
        "'2027-02-06T00:00/2027-02-07T06:00', separated by commas; 'none' for neither."
    )
