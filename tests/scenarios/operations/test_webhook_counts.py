"""What `again status` counts as unknown payments is what look-ups of webhooks really come to."""

from __future__ import annotations

from tests.scenarios.checkout.story import Till
from tests.scenarios.conftest import World
from worker.operations import status_queries


def test_a_webhook_of_an_unknown_payment_is_answered_and_counted(world: World):
    till = Till(world)
    till.receive_webhook({"imp_uid": "imps_999999999999", "merchant_uid": "m", "status": "paid"})
    stranger = {"pg": "kakaopay.TC0ONETIME", "merchant_uid": "another-shops-1", "name": "Tea", "amount": 5000}
    window = world.portone.open_window(stranger | {"m_redirect_url": "https://shop.example/back"})["window"]
    till.receive_webhook(till.webhook(till.approve(str(window["window_id"]))))
    with world.runtime.sessions() as session:
        heard = status_queries.webhooks_since(session, world.now)
    assert (heard.count, heard.unknown) == (2, 2)
