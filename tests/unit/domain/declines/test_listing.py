"""All rules as they are asked, and those of one PG or one kind."""

from __future__ import annotations

from tests.support.attempts import RULES
from tests.support.declines import own
from worker.domain.declines.listing import listed, name_of, packs
from worker.domain.declines.verdicts import VERDICTS


def test_every_rule_is_listed_and_a_merchants_come_first():
    rules = own("hard", "맨션", pgs="kcp payco")
    found = list(listed(rules))
    assert sum(pack.rules for pack in packs(rules)) == len(found)
    assert (found[0].place, found[0].pgs, found[0].words) == ("own.toml:1", ("kcp", "payco"), ("맨션",))
    assert next(packs(rules)).file == "own.toml"
    assert [pack.file for pack in packs(RULES)] == sorted(pack.file for pack in RULES.packs)


def test_rules_of_a_pg_have_each_of_its_codes_once_with_what_it_means():
    for pg, table in RULES.codes.items():
        found = [(code, kind) for each in listed(RULES, pg=pg) for code in each.codes for kind in each.kinds]
        assert sorted(found) == sorted((code, name_of(rule.verdict)) for code, rule in table.items())


def test_rules_for_other_pgs_are_left_out():
    rules = own("hard", "맨션", pgs="kcp")
    assert all(each.place != "own.toml:1" for each in listed(rules, pg="payco"))
    assert {each.place.partition(":")[0] for each in listed(RULES, pg="nice_v2")} == {"words.toml"}


def test_rules_of_each_kind_are_those_that_may_mean_it():
    for name in VERDICTS:
        found = list(listed(RULES, kind=name))
        assert found
        assert all(name in each.kinds for each in found)
