"""No mistake in a policy file opens a door: mutated rules fail their tests, and damaged files deny.

The shipped policy and the one of tests/data, which has what teams add, are held to the same.
"""

import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aiops_cli.adapters.policy_files import load_one
from aiops_cli.domain.policy import Done, Policy, PolicySet, Subject, evaluate
from aiops_cli.domain.policy_file import PolicyFile
from aiops_cli.domain.policy_tests import _JUST_BEFORE, _USUALLY, _subject
from aiops_cli.strict_yaml import read_yaml
from tests.conftest import ROOT
from tests.policy_mutations import mutations

FILES = {"shipped": ROOT / "src/aiops_cli/data/policy.yaml", "usual": ROOT / "tests/data/policy.yaml"}
every_file = pytest.mark.parametrize("name", list(FILES))


@cache
def bytes_of(name: str) -> bytes:
    return FILES[name].read_bytes()


def data_of(name: str) -> dict[str, Any]:
    return deepcopy(_data_of(name))


@cache
def _data_of(name: str) -> dict[str, Any]:
    data: dict[str, Any] = read_yaml(bytes_of(name).decode(), name).data
    return data


@pytest.fixture
def loaded(tmp_path: Path) -> Callable[[bytes | dict[str, Any]], PolicySet]:
    path = tmp_path / "policy.yaml"

    def load(content: bytes | dict[str, Any]) -> PolicySet:
        raw = content if isinstance(content, bytes) else yaml.safe_dump(content, sort_keys=False).encode()
        path.write_bytes(raw)
        path.chmod(0o600)
        return load_one(path)

    return load


Load = Callable[[bytes | dict[str, Any]], PolicySet]


@cache
def asked(name: str) -> tuple[tuple[Subject, datetime, tuple[Done, ...]], ...]:
    """What the tests of a file ask."""
    (policy,) = load_intact(name).policies
    found = []
    for test in policy.file.tests:
        now = test.given.at or _USUALLY.replace(tzinfo=policy.zone)
        subject = _subject(test.given)
        found.append((subject, now, (Done(now - _JUST_BEFORE, subject),) * test.given.done_last_hour))
    return tuple(found)


def opens_nothing(name: str, policies: PolicySet) -> None:
    """Whatever the intact file denies is denied, what wants two people does, and what is not trusted is not."""
    intact = load_intact(name)
    for subject, now, done in asked(name):
        before, after = evaluate(intact, subject, now, done), evaluate(policies, subject, now, done)
        assert before.allowed or not after.allowed, (subject, after)
        assert not after.allowed or after.approvals >= before.approvals, (subject, after)
        assert after.trust is None or before.trust is not None, (subject, after)
        assert after.trust is None or after.trust.after >= before.trust.after, (subject, after)
        assert after.trust is None or after.trust.per_day <= before.trust.per_day, (subject, after)


@cache
def load_intact(name: str) -> PolicySet:
    """Without a look at the file's mode: a checkout may be one that its group can write."""
    file = PolicyFile.model_validate(data_of(name))
    return PolicySet((Policy("file", name, file, ZoneInfo(file.timezone)),), (), "")


# --- mutations of what a file says -----------------------------------------------------------------------------------

MUTATIONS = [(name, what, data) for name in FILES for what, data in mutations(data_of(name))]


@every_file
def test_the_file_itself_holds_also_when_it_is_written_anew(name: str, loaded: Load) -> None:
    assert loaded(bytes_of(name)).problems == () == loaded(data_of(name)).problems


def test_the_mutations_are_many_and_different() -> None:
    assert len([1 for name, *_ in MUTATIONS if name == "shipped"]) > 60
    assert len([1 for name, *_ in MUTATIONS if name == "usual"]) > 70
    assert all(data != data_of(name) for name, _, data in MUTATIONS)


@pytest.mark.parametrize(("name", "what", "data"), MUTATIONS, ids=[f"{name} {what}" for name, what, _ in MUTATIONS])
def test_every_mutation_of_a_rule_is_caught_by_a_test_in_its_file(
    name: str, what: str, data: dict[str, Any], loaded: Load
) -> None:
    assert loaded(data).problems, what


# --- damage ----------------------------------------------------------------------------------------------------------


@every_file
def test_a_file_that_was_cut_off_denies_or_says_what_it_said(name: str, loaded: Load) -> None:
    raw = bytes_of(name)
    tests_begin = raw.index(b"\ntests:") + len(b"\ntests:")
    for end in {*range(0, len(raw), 11), *(match.end() for match in re.finditer(b"\n", raw))}:
        policies = loaded(raw[:end])
        opens_nothing(name, policies)
        assert policies.problems or end > tests_begin, end


@every_file
def test_a_key_that_is_written_twice_denies(name: str, loaded: Load) -> None:
    lines = bytes_of(name).decode().splitlines(keepends=True)
    tried = 0
    for index, line in enumerate(lines):
        if re.match(r"( {4}|)\w+:", line) and not line.startswith("tests"):
            twice = [*lines[: index + 1], line, *lines[index + 1 :]]
            policies = loaded("".join(twice).encode())
            tried += 1
            assert any("occurs twice" in problem for problem in policies.problems) or line.endswith(":\n"), line
            assert policies.problems, line
        for entry in re.finditer(r"(?<=[{ ])(\w+: [\w.-]+)(?=[,}])", line.partition("#")[0]):
            twice_in = line[: entry.start()] + f"{entry[1]}, {entry[1]}" + line[entry.end() :]
            policies = loaded("".join([*lines[:index], twice_in, *lines[index + 1 :]]).encode())
            tried += 1
            assert any("occurs twice" in problem for problem in policies.problems), twice_in
    assert tried > 80


def maps_in(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Every mapping of a document with its place."""
    if isinstance(node, dict):
        yield path, node
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in children:
        yield from maps_in(value, (*path, key))


def at(data: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        data = data[key]
    return data


@every_file
def test_a_key_that_nobody_knows_denies(name: str, loaded: Load) -> None:
    for path, _ in maps_in(data_of(name)):
        # What was read of a target has whatever fields the target has.
        if path[-1:] == ("state",):
            continue
        data = data_of(name)
        changed = {"nobody-knows-it": 1, **at(data, path)}
        if path:
            at(data, path[:-1])[path[-1]] = changed
        else:
            data = changed
        assert loaded(data).problems, path


REQUIRED = {
    0: {"version", "timezone", "rules", "tests"},
    "rules": {"id", "why"},
    "freezes": {"id", "why", "from", "to"},
    "tests": {"given", "expect"},
    "given": {"action"},
    "trust": {"after", "per_day"},
}


@every_file
def test_a_missing_field_denies(name: str, loaded: Load) -> None:
    tried = 0
    for path, node in maps_in(data_of(name)):
        kind = 0 if not path else path[-1] if isinstance(path[-1], str) else path[-2]
        for key in REQUIRED.get(kind, set()) & set(node):
            data = data_of(name)
            del at(data, path)[key]
            tried += 1
            assert loaded(data).problems, (*path, key)
    assert tried > 80


@every_file
@pytest.mark.parametrize("garbage", [None, [], {}, "garbage", -1, True, 1.5, [[]], "no", "22:30"], ids=repr)
def test_a_value_of_another_kind_denies(name: str, garbage: Any, loaded: Load) -> None:
    """Of a rule, of its parts, of a freeze and of the file as a whole; what tests suppose may be anything."""
    for path, node in maps_in(data_of(name)):
        if path[:1] == ("tests",):
            continue
        for key in node:
            if node[key] is garbage or (garbage == [] and key in ("freezes", "allow", "tests")):
                continue
            if isinstance(garbage, str) and key in ("id", "why"):
                continue
            data = data_of(name)
            at(data, path)[key] = garbage
            assert loaded(data).problems, (*path, key)


@st.composite
def damaged(draw: st.DrawFn, raw: bytes) -> bytes:
    """A few bytes replaced, taken out, put in, or moved."""
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(raw) - 1))
        end = min(len(raw), start + draw(st.sampled_from([0, 1, 1, 1, 2, 5, 40])))
        new = draw(st.one_of(st.binary(max_size=3), st.sampled_from(_TELLING), st.just(raw[start:end] * 2)))
        raw = raw[:start] + new + raw[end:]
        if not raw:
            break
    return raw


# What means something in YAML, or in a policy.
_TELLING = [
            b"#", b"*", b"&a ", b": ", b"- ", b"\n", b" ", b"'", b'"', b"{", b"}", b"[", b"]", b"!!int ", b"\t", b"9",
            b"0", b"production", b"staging", b"\xff", b"\x00", b"---\n", b"...\n", b"<<: ", b"null", b"~", b"\r",
]  # fmt: skip


@every_file
def test_damage_never_opens_a_door(name: str, loaded: Load) -> None:
    outcomes = {"broken": 0, "held": 0}

    @settings(max_examples=1500, deadline=None, database=None, derandomize=True,
              suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
    @given(damaged(bytes_of(name)))
    def holds(raw: bytes) -> None:
        policies = loaded(raw)
        outcomes["broken" if policies.problems else "held"] += 1
        opens_nothing(name, policies)

    holds()
    # Both kinds were tried: damage that is noticed, and damage of a comment or of a reason.
    assert outcomes["broken"] > 300 and outcomes["held"] > 50, outcomes


@settings(max_examples=500, deadline=None, database=None, derandomize=True,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(raw=st.one_of(st.binary(max_size=300), st.text(max_size=200).map(str.encode)))
def test_garbage_denies(raw: bytes, loaded: Load) -> None:
    policies = loaded(raw)
    assert policies.problems
    subject, _, _ = asked("shipped")[1]
    assert evaluate(policies, subject, datetime.now(UTC)).rule == "policy-broken"
