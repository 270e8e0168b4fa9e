"""The form of a checkout page: consent, the choice of a PG, and the buyer's details that a window requires."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from starlette.responses import JSONResponse, Response

from worker.checkout import CheckoutView
from worker.domain.errors import Refused
from worker.pg.window import InvalidWindow
from worker.pg.window.request import Buyer
from worker.web.pages import terms
from worker.web.pages.wording import WORDS, Language, wording_version

_DIVIDERS = re.compile(r"[.\u2010-\u2015]")  # full stops and dashes, between the digits of a telephone number


def consent_problem(given: Mapping[str, Any], view: CheckoutView, language: Language) -> Response | None:
    """Return the error response for a form; None when it gives consent."""
    words, pg = WORDS[language], given.get("pg")
    if given.get("consent") is not True:
        return error_response(words["agree_first"], 422)
    shown = given.get("owed", view.owed), given.get("given_up", view.given_up)
    if given.get("wording") != wording_version(language) or shown != (view.owed, view.given_up):
        return error_response(words["reload"], 409)
    if pg not in view.pgs:
        return error_response(words["choose_pg"], 422)
    buyer = read_buyer(given.get("buyer"))
    if buyer is None:
        return error_response(words["buyer_wrong"], 422)
    missing = [need for need in terms.required_of_buyer(view, str(pg)) if not getattr(buyer, _field(need), None)]
    return invalid_fields(missing, language) if missing else None


def invalid_fields(parameters: Iterable[str], language: Language) -> Response:
    """Return the response that names the fields which a window would not take, with an example if it is one field."""
    words, names = WORDS[language], sorted({_field(each) for each in parameters})
    message = words["buyer_wrong"]
    if len(names) == 1 and names[0] in terms.EXAMPLES:
        message = words["field_wrong"].format(field=words[names[0]], example=terms.EXAMPLES[names[0]])
    return JSONResponse({"message": message, "fields": names}, 422)


def read_buyer(given: Any) -> Buyer | None:
    """Return the buyer's details, without empty ones; None for what is no form of ours."""
    if not isinstance(given, Mapping):
        return None
    values = {name: stripped_text(given.get(name, "")) for name in ("name", "tel", "email")}
    if any(value is None for value in values.values()):
        return None
    tel = _normalized_tel(values["tel"] or "")
    return Buyer(name=values["name"] or None, tel=tel or None, email=values["email"] or None)


def _normalized_tel(tel: str) -> str:
    """Return a telephone number in ASCII: Korean and Japanese keyboards type wide digits, some customers full stops."""
    return _DIVIDERS.sub("-", unicodedata.normalize("NFKC", tel))


def invalid_buyer_parameters(refused: Refused) -> frozenset[str]:
    """Return the parameters for which a window was refused, if all of them are what the customer has typed."""
    problems = refused.problems if isinstance(refused, InvalidWindow) else ()
    parameters = frozenset(problem.parameter for problem in problems)
    return parameters if parameters <= terms.BUYER else frozenset()


def _field(parameter: str) -> str:
    """Return the form's name of a window's parameter: tel for buyer_tel."""
    return parameter.removeprefix("buyer_")


def stripped_text(value: Any) -> str | None:
    return value.strip() if isinstance(value, str) else None


def error_response(message: str, status: int) -> Response:
    return JSONResponse({"message": message}, status)
