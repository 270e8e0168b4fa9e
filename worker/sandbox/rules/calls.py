"""One request as it arrived, parsed but not yet validated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Call:
    """A request to the API. `path` is the raw one (still percent-encoded); `fields` is the body, JSON or form."""

    method: str
    path: str
    query: Mapping[str, Sequence[str]] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict, repr=False)
    authorization: str | None = field(default=None, repr=False)
    legacy_token: str | None = field(default=None, repr=False)
    user_agent: str | None = None
    origin: str | None = None
    accept_language: str | None = None
    in_path: Mapping[str, str] = field(default_factory=dict, repr=False)

    def with_path_values(self, values: Mapping[str, str]) -> Call:
        """Return this call with the values that an endpoint's template found in its path."""
        return replace(self, in_path=values)

    @property
    def token(self) -> str | None:
        """The access token: `Bearer x` [documented] or a bare `x` [seen]; Authorization wins over the old header."""
        if self.authorization is None:
            return self.legacy_token
        scheme, _, rest = self.authorization.partition(" ")
        return rest.strip() if scheme.lower() == "bearer" else self.authorization

    def query_text(self, name: str) -> str | None:
        """Return the last value of a query parameter; an empty one counts as left out."""
        values = self.query.get(name, ())
        return values[-1] or None if values else None

    def query_list(self, name: str) -> list[str]:
        """Return the values of a repeated parameter, spelt `name[]` [documented] or plainly `name` [assumed]."""
        return [value for key in (f"{name}[]", name) for value in self.query.get(key, ()) if value]

    def text(self, name: str) -> str | None:
        """Return a body field as text; an absent, empty or nested one is None. Numbers become text, as in a form."""
        value = self.fields.get(name)
        return str(value) if isinstance(value, (str, int, float)) and value != "" else None
