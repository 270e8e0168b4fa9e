"""What the settings say about notices, and what making one takes."""

from __future__ import annotations

from dataclasses import dataclass, field

from worker.changes.kind import ChangePolicy
from worker.domain.notices.quiet_hours import QuietHours
from worker.domain.notices.texts import TEXTS, Texts


@dataclass(frozen=True, slots=True)
class NoticePolicy:
    """The quiet hours, the texts, and where a customer pays a declined charge or registers another key."""

    changes: ChangePolicy
    quiet: QuietHours | None
    texts: Texts = field(default_factory=lambda: TEXTS)
    account_url: str | None = None

    def link(self, subscription: str) -> str | None:
        """Return the host's page where the customer of a subscription pays or registers another key, if it has one.

        It lets no reader in by itself: a signed link would, and events are kept, copied and logged.
        """
        return None if self.account_url is None else self.account_url.replace("{subscription}", subscription)
