"""Same-origin check (CSRF protection), and the callback URLs of payment windows."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request

from worker.pg.window.request import CallbackUrls
from worker.web.pages.wording import Language


class SameOrigin:
    """Recognizes requests of our own pages by the public URL, if one is configured."""

    def __init__(self, public_url: str | None) -> None:
        self._public_url = public_url

    def require(self, request: Request) -> None:
        """Raise HTTPException 403 for a request of another site's page. A second barrier: it lacks the link too."""
        site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
        ours = {urlsplit(self._public_url).netloc.lower()} if self._public_url else set()
        if not (self._public_url or "").startswith("https://"):  # in development, any name of the machine
            ours.add(request.headers.get("host", "").lower())
        if site not in {None, "same-origin"} or (origin is not None and origin.partition("://")[2].lower() not in ours):
            raise HTTPException(403, "This is asked for by another site's page.")

    def callback_urls(self, request: Request, language: Language) -> CallbackUrls:
        """Return where a window reports to: the public URL, or for the sandbox without one where this process listens.

        Never the Host header, which an attacker may have written.
        """
        base = self._public_url or listening_url(request)
        return CallbackUrls(
            m_redirect_url=f"{base}/c/{request.path_params['token']}/return?lang={language}",
            notice_url=f"{base}/webhooks/portone",
        )


def listening_url(request: Request) -> str:
    """Return the URL that this process listens on, with the path that it is mounted at."""
    host, port = request.scope.get("server") or ("127.0.0.1", None)
    place = f"[{host}]" if ":" in host else host
    mounted = request.scope.get("app_root_path", request.scope.get("root_path", ""))
    return f"{request.scope['scheme']}://{place}{f':{port}' if port else ''}{mounted}"
