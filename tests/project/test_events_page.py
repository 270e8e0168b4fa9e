"""docs/events.md and its schemas are what the catalogue says."""

from __future__ import annotations

import json

import jsonschema
import pytest

from tests.support import events_page
from worker.domain.events.catalogue import CATALOGUE, schemas
from worker.domain.events.types import EventType

REMEDY = "run python -m tests.support.events_page"


def test_page_of_events_is_what_the_catalogue_says():
    assert events_page.PAGE.read_text() == events_page.page(), REMEDY


def test_schema_file_is_what_the_catalogue_says():
    assert events_page.SCHEMAS.read_text() == events_page.schema_file(), REMEDY


def test_catalogue_has_every_type():
    assert list(CATALOGUE) == list(EventType)


@pytest.mark.parametrize("kind", EventType)
def test_example_of_each_type_satisfies_its_published_schema(kind: EventType):
    document = json.loads(events_page.SCHEMAS.read_text())
    schema = {"$ref": document["types"][kind]["data"]["$ref"], "$defs": document["$defs"]}
    jsonschema.validate(events_page.envelope(events_page.example(kind))["data"], schema)


def test_no_schema_lets_anything_unknown_in():
    models = [model for model in schemas()["$defs"].values() if model.get("type") == "object"]
    assert models
    assert all(model["additionalProperties"] is False for model in models)


PERSONAL = ("customer", "name", "email", "phone", "card", "label", "message", "reason", "comment", "uid")
ALLOWED = {"merchant_uid", "imp_uid", "name"}  # the payment's own ids; `name` is an invariant's


def test_no_field_of_an_event_is_personal():
    fields = {field for model in schemas()["$defs"].values() for field in model.get("properties", {})}
    assert {field for field in fields if any(word in field for word in PERSONAL)} == ALLOWED
