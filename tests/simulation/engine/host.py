"""A host's endpoint: what arrives there, in its order, and how it answers, message by message."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.support.arrivals import Arrival, HostReply
from worker.domain.events.destinations import Delivered, Delivery, Message, NotDelivered


def in_turn(replies: Sequence[HostReply]) -> Callable[[], HostReply]:
    """Return one reply after the other, the last one for ever."""
    left = list(replies)
    return lambda: left.pop(0) if len(left) > 1 else left[0]


@dataclass
class Host:
    """The endpoint of one world."""

    reply: Callable[[], HostReply]
    arrivals: list[Arrival] = field(default_factory=list)

    def receive(self, message: Message) -> Delivery | None:
        """Take a message or refuse it; returns the answer, or None where none ever comes."""
        reply = self.reply()
        arrival = Arrival(position=message.position, id=message.id, type=message.type, data=message.data, reply=reply)
        self.arrivals.append(arrival)
        match reply:
            case HostReply.TAKE:
                return Delivered("answered 200")
            case HostReply.REFUSE:
                return NotDelivered("answered 500")
            case HostReply.LOSE:
                return NotDelivered("the connection broke before an answer")
            case HostReply.HANG:
                return None
