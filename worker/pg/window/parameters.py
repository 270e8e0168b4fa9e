"""A window request under the parameter names of the SDK's `IMP.request_pay` (documented). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from worker.pg.window.request import Buyer, Options, WindowChannel, WindowRequest


def parameters(request: WindowRequest) -> dict[str, Any]:
    """Return the parameter object, without values that are None; nothing is validated here."""
    order, callback_urls = request.order, request.callback_urls
    notice_url = (
        list(callback_urls.notice_url) if isinstance(callback_urls.notice_url, tuple) else callback_urls.notice_url
    )
    return _without_nones(
        {
            **_channel(request.channel),
            "pay_method": order.pay_method,
            "merchant_uid": order.merchant_uid,
            "name": order.name,
            "amount": order.amount,
            "tax_free": order.tax_free,
            "vat_amount": order.vat_amount,
            "customer_uid": request.customer_uid,
            **_buyer(request.buyer),
            "m_redirect_url": callback_urls.m_redirect_url,
            "notice_url": notice_url,
            "app_scheme": callback_urls.app_scheme,
            **_options(request.options),
        }
    )


def _channel(channel: WindowChannel) -> dict[str, Any]:
    """Return channelKey, which replaces pg; else pg, and after a dot the merchant's id if there is one (documented)."""
    if channel.channel_key is not None:
        return {"channelKey": channel.channel_key}
    return {"pg": channel.pg if channel.pg_id is None else f"{channel.pg}.{channel.pg_id}"}


def _buyer(buyer: Buyer) -> dict[str, Any]:
    return {
        "buyer_email": buyer.email,
        "buyer_name": buyer.name,
        "buyer_tel": buyer.tel,
        "buyer_addr": buyer.addr,
        "buyer_postcode": buyer.postcode,
    }


def _options(options: Options) -> dict[str, Any]:
    kakaopay = _without_nones(
        {"payment_method_type": options.kakao_instrument, "custom_message": options.kakao_message}
    )
    return {
        "customer_id": options.customer_id,
        "custom_data": options.custom_data,
        "language": options.language,
        "popup": options.popup,
        "kakaopayMobileAsPC": options.kakao_mobile_as_pc,
        "bypass": {"kakaopay": kakaopay} if kakaopay else None,
    }


def _without_nones(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
