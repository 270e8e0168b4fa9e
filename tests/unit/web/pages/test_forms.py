"""What customers fill in: read as it was meant, and refused where it is none of a form's."""

from __future__ import annotations

import json

import pytest

from worker.domain.errors import Refused
from worker.pg.window import InvalidWindow
from worker.pg.window.request import WindowProblem
from worker.web.pages.forms import invalid_buyer_parameters, invalid_fields, read_buyer
from worker.web.pages.wording import Language

TELEPHONES = [
    ("010-1234-5678", "010-1234-5678"),
    (" 01012345678 ", "01012345678"),
    ("０１０－１２３４－５６７８", "010-1234-5678"),  # wide digits, as Korean keyboards make them
    ("010.1234.5678", "010-1234-5678"),
    ("010–1234—5678", "010-1234-5678"),  # dashes, as word processors make them
    ("+82 10 1234 5678", "+82 10 1234 5678"),
]


@pytest.mark.parametrize(("written", "read"), TELEPHONES)
def test_telephone_number_is_taken_in_every_usual_form(written: str, read: str):
    buyer = read_buyer({"tel": written})
    assert buyer is not None
    assert buyer.tel == read


@pytest.mark.parametrize("given", [None, [], "tel", {"tel": 1}, {"name": ["a"]}, {"email": None}])
def test_malformed_buyer_is_read_as_none(given: object):
    assert read_buyer(given) is None


def test_customer_is_told_of_the_buyers_parameters_only():
    tel, url = WindowProblem("buyer_tel", "-"), WindowProblem("m_redirect_url", "-")
    assert invalid_buyer_parameters(InvalidWindow((tel,))) == {"buyer_tel"}
    assert not invalid_buyer_parameters(InvalidWindow((tel, url)))
    assert not invalid_buyer_parameters(InvalidWindow(()))
    assert not invalid_buyer_parameters(Refused("-"))


@pytest.mark.parametrize(
    ("parameters", "fields", "message"),
    [
        (["buyer_tel"], ["tel"], "Mobile number: please write it like 010-1234-5678."),
        (["buyer_name"], ["name"], "Please check the details you have entered."),  # a name has no format
        (["buyer_tel", "buyer_name"], ["name", "tel"], "Please check the details you have entered."),
    ],
)
def test_invalid_field_is_named_with_an_example(parameters: list[str], fields: list[str], message: str):
    answer = invalid_fields(parameters, Language.ENGLISH)
    assert answer.status_code == 422
    assert json.loads(bytes(answer.body)) == {"message": message, "fields": fields}
