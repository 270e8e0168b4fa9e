"""Whose page it is that sends something, and where payment windows report to."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request

from worker.pg.window.request import CallbackUrls
from worker.web.pages.wording import Language


class SameOrigin:
    """Tells our own pages from others by the public address, if one is configured."""

    def __init__(self, public_url: str | None) -> None:
        self._public_url = public_url

    def require(self, request: Request) -> None:
        """Refuse what another site's page sends. It would need the link to do anything, so this is the second lock."""
        site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
        ours = {urlsplit(self._public_url).netloc.lower()} if self._public_url else set()
        if not (self._public_url or "").startswith(
            "https://"
        ):  # a developer's, whom any name of the machine leads here
            ours.add(request.headers.get("host", "").lower())
        if site not in {None, "same-origin"} or (origin is not None and origin.partition("://")[2].lower() not in ours):
            raise HTTPException(403, "This is asked for by another site's page.")

    def callback_urls(self, request: Request, language: Language) -> CallbackUrls:
        """Say where the window reports to: what is configured, and for the sandbox without it where we listen.

        Never what the Host header says, for anybody may have written that.
        """
        base = self._public_url or own_address(request)
        return CallbackUrls(
            m_redirect_url=f"{base}/c/{request.path_params['token']}/return?lang={language}",
            notice_url=f"{base}/webhooks/portone",
        )


def own_address(request: Request) -> str:
    """Give the address that this process listens on, with the path that it is mounted at."""
    host, port = request.scope.get("server") or ("127.0.0.1", None)
    place = f"[{host}]" if ":" in host else host
    mounted = request.scope.get("app_root_path", request.scope.get("root_path", ""))
    return f"{request.scope['scheme']}://{place}{f':{port}' if port else ''}{mounted}"
