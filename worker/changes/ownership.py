"""What a customer may have changed: their own subscriptions and charges, and no others."""

from __future__ import annotations

from worker.changes import customer_queries, refund_queries
from worker.changes.undo import known
from worker.database.engine import Sessions
from worker.domain.changes import ChangeStatus, WaitsFor
from worker.domain.customer_reference import normalized
from worker.domain.errors import RefusalCode, Refused
from worker.domain.identifiers import LONGEST_ID, is_code, read_code
from worker.ledger.changes import Change


def require_own(
    sessions: Sessions, customer: str, *, subscription: str | None = None, charge: int | None = None
) -> None:
    """Raise Refused unless the subscription and the charge that are named are this customer's.

    What there is not and what is another's are refused alike, so that the answer tells nothing about others.
    """
    if subscription is not None and not _owns_subscription(sessions, customer, subscription):
        raise Refused("There is no such subscription of yours.", code=RefusalCode.NOT_YOURS)
    if charge is not None and not _owns(sessions, customer, "charge", charge):
        raise Refused("There is no such charge of yours.", code=RefusalCode.NOT_YOURS)


def own_change(sessions: Sessions, customer: str, change_id: int) -> Change:
    """Return a change of this customer's. Raises Refused for any other."""
    if not _owns(sessions, customer, "change", change_id):
        raise Refused("There is no such change of yours.", code=RefusalCode.NOT_YOURS)
    with sessions() as session:
        return known(session, change_id)


def own_undoable_change(sessions: Sessions, customer: str, change_id: int) -> Change:
    """Return a change of this customer's that this host may undo. Raises Refused for any other.

    What an operator or a worker has asked for, such as the end of dunning or another price, is not the customer's to
    undo.
    """
    change = own_change(sessions, customer, change_id)
    with sessions() as session:
        actor = refund_queries.actor(session)
    if change.status is ChangeStatus.SCHEDULED and not may_undo(change, actor):
        raise Refused(f"Change {change_id} was not asked for here, or is at PortOne: an operator may undo it.")
    return change


def may_undo(change: Change, actor: str) -> bool:
    """Return whether a host may undo a change for its customer: one that it has asked for and that is still to come."""
    is_to_come = change.status is ChangeStatus.SCHEDULED and change.waits_for is not WaitsFor.PORTONE
    return is_to_come and change.requested_by == actor


def _owns_subscription(sessions: Sessions, customer: str, code: str) -> bool:
    code = read_code(code)
    return is_code(code) and _owns(sessions, customer, "subscription", code)


def _owns(sessions: Sessions, customer: str, what: str, of: str | int) -> bool:
    if isinstance(of, int) and not 0 < of < 10**LONGEST_ID:
        return False
    with sessions() as session:
        return customer_queries.owner_of(session, what, of) == normalized(customer)
