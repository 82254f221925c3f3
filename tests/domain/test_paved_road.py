"""What a team's file may say, and how parameters get into what runs."""

from typing import Any

import pytest
from pydantic import ValidationError

from aiops_cli.domain.action import CATALOGUE, Risk, describe_call, parse_call
from aiops_cli.domain.paved_road import Operation, Parameter, PavedRoad, fill, fill_headers, fill_undo
from aiops_cli.domain.policy import TrustTerms
from aiops_cli.domain.trust import TrustRecord, why_not_promoted
from aiops_cli.domain.validation import first_problem
from aiops_cli.errors import ActionRefused, UsageError

DROP: dict[str, Any] = {
    "name": "drop",
    "says": "Drop what waits",
    "services": ["basket-api"],
    "risk": "high",
    "reach": "what waits is lost",
    "parameters": {"tenant": {"pattern": "[a-z/.-]+"}, "count": {"type": "integer", "min": 1, "max": 9, "default": 2}},
    "run": ["/bin/drop", "--tenant={tenant}", "{count}", "{service}"],
    "undo": "none",
}


def operation(**changed: Any) -> Operation:
    return Operation.model_validate({**DROP, **changed})


def why_not(data: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        PavedRoad.model_validate(data)
    problem = first_problem(caught.value)
    return f"{problem.field}: {problem.message}"


# --- the file --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": "Drop It"}, "name"),
        ({"shell": True}, "shell: is not a known field"),
        ({"risk": "medium"}, "without an undo its risk is high"),
        ({"risk": "severe"}, "risk"),
        ({"services": []}, "services"),
        ({"run": ["drop"]}, "full path of a program"),
        ({"run": ["/bin/{tenant}"]}, "full path of a program"),
        ({"run": "drop it"}, "run"),
        ({"run": ["/bin/drop", "a\nb"]}, "run.1"),
        ({"run": ["/bin/drop", "{who}"]}, "{who} is no parameter of drop"),
        ({"http": {"method": "POST", "url": "http://127.0.0.1/"}}, "needs either run or http"),
        ({"run": None}, "needs either run or http"),
        ({"run": None, "http": {"url": "http://127.0.0.1/x"}}, "a request that changes something is no GET"),
        ({"run": None, "http": {"method": "PUT", "url": "http://{tenant}/x"}}, "parameter before its path"),
        ({"run": None, "http": {"method": "PUT", "url": "http://ana:x@h/x"}}, "no user, password"),
        ({"run": None, "http": {"method": "PUT", "url": "ftp://h/x"}}, "must begin with http://"),
        ({"run": None, "http": {"method": "PUT", "url": "http://h:99999/"}}, "http"),
        ({"run": None, "http": {"method": "PUT", "url": "http://h/", "headers": {"Authorization": "Bearer x"}}},
         "belongs into the environment"),
        ({"run": None, "http": {"method": "PUT", "url": "http://h/", "headers": {"A b": "x"}}}, "no name of a header"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": "3000s"}, "timeout"),
        ({"parameters": {"Tenant": {"pattern": "x"}}}, "parameters.Tenant"),
        ({"parameters": {"operation": {"pattern": "x"}}}, "no parameter can be called operation"),
        ({"parameters": {"tenant": {}}}, "needs pattern"),
        ({"parameters": {"tenant": {"pattern": "(" }}}, "is no regular expression"),
        ({"parameters": {"tenant": {"type": "integer", "min": 1}}}, "needs max"),
        ({"parameters": {"tenant": {"type": "integer", "min": 5, "max": 1}}}, "min is above max"),
        ({"parameters": {"tenant": {"type": "choice", "choices": ["-rf"]}}}, "begins with -"),
        ({"parameters": {"tenant": {"pattern": "[a-z]+", "default": "A"}}}, "does not match"),
        ({"nothing_done": [0]}, "nothing_done"),
        ({"undo": {"operation": "restore"}, "risk": "low"}, "no operation is called 'restore'"),
        ({"undo": {"operation": "drop"}, "risk": "low"}, "drop needs tenant"),
        ({"undo": {"operation": "drop", "parameters": {"tenant": "A"}}, "risk": "low"}, "does not match"),
        ({"undo": {"operation": "drop", "parameters": {"tenant": "{state.was}"}}, "risk": "low"}, "no field of state"),
        ({"undo": {"operation": "drop", "parameters": {"tenant": "a", "b": 1}}, "risk": "low"}, "no parameter 'b'"),
    ],
)  # fmt: skip
def test_what_does_not_hold_is_refused_with_its_field(changed: dict[str, Any], said: str) -> None:
    assert said in why_not({"version": 1, "operations": [{**DROP, **changed}]})


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (None, "document"),
        ({"version": 2, "operations": [DROP]}, "version"),
        ({"version": 1}, "declares nothing"),
        ({"version": 1, "operations": [DROP, DROP]}, "'drop' is declared twice"),
        ({"version": 1, "checks": [{"name": "a", "says": "b", "run": ["/bin/a", "{tenant}"]}]}, "a check knows"),
        ({"version": 1, "checks": [{"name": "a", "says": "b", "run": ["/bin/a", "{service}"]}]}, "needs services"),
        ({"version": 1, "checks": [{"name": "a", "says": "b", "http": {"url": "http://h/", "method": "POST"}}]},
         "a check only reads"),
    ],
)  # fmt: skip
def test_a_file_that_does_not_hold_is_refused(data: Any, said: str) -> None:
    assert said in why_not(data)


# --- parameters ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("declared", "word", "problem"),
    [
        ({"pattern": "[a-z]+"}, "north", None),
        ({"pattern": "[a-z]+"}, "north1", "does not match"),
        ({"pattern": "[a-z]+"}, "north\n", "printable"),
        ({"pattern": ".*"}, "-rf", "begins with -"),
        ({"pattern": ".*"}, "--all", "begins with -"),
        ({"pattern": ".*"}, "a b", "printable"),
        ({"pattern": ".*"}, "", "printable"),
        ({"pattern": ".*"}, "a" * 201, "printable"),
        ({"pattern": ".*"}, "a\u202eb", "printable"),
        ({"pattern": ".*"}, "a/../b", "leads out"),
        ({"pattern": ".*"}, "a..b", None),
        ({"pattern": ".*"}, "$(id);`id`|x", None),
        ({"type": "integer", "min": 1, "max": 9}, "9", None),
        ({"type": "integer", "min": 1, "max": 9}, "10", "is not from 1 to 9"),
        ({"type": "integer", "min": 1, "max": 9}, "1e0", "is not from 1 to 9"),
        ({"type": "integer", "min": 1, "max": 9}, "٣", "is not from 1 to 9"),
        ({"type": "choice", "choices": ["a", "b"]}, "c", "is not one of a, b"),
        ({"type": "flag"}, "true", None),
        ({"type": "flag"}, "yes", "is not true or false"),
    ],
)
def test_a_word_is_held_against_its_declaration(declared: dict[str, Any], word: str, problem: str | None) -> None:
    found = Parameter.model_validate(declared).why_not(word)
    assert found is None if problem is None else problem in str(found)


def test_a_parameter_is_one_argument_or_a_part_of_one_whatever_is_in_it() -> None:
    drop = operation(parameters={"tenant": {"pattern": ".+"}}, run=["/bin/drop", "--tenant={tenant}", "{tenant}"])
    filled = fill(drop, {**drop.read({"tenant": "x;rm$IFS*"}), "service": "basket-api"})
    assert filled.argv == ("/bin/drop", "--tenant=x;rm$IFS*", "x;rm$IFS*")
    assert filled.shown == "/bin/drop '--tenant=x;rm$IFS*' 'x;rm$IFS*'"


def test_no_argument_becomes_an_option() -> None:
    with pytest.raises(ActionRefused, match="would be an option"):
        fill(operation(), {"tenant": "a", "count": "-9", "service": "basket-api"})


def test_what_is_filled_in_is_not_filled_in_again() -> None:
    drop = operation(parameters={"a": {"pattern": ".+"}, "b": {"pattern": ".+"}}, run=["/bin/x", "{a}", "{b}"])
    assert fill(drop, drop.read({"a": "{b}", "b": "c"})).argv == ("/bin/x", "{b}", "c")


def test_a_parameter_of_a_request_stays_where_it_is() -> None:
    http = {"method": "PUT", "url": "http://127.0.0.1:1/t/{tenant}/q?n={count}", "body": {"a": ["{tenant}", 1]}}
    put = operation(run=None, http=http)
    filled = fill(put, {"tenant": "a/b?c#d&e%2e", "count": "2", "service": "s"})
    assert (filled.base, filled.path) == ("http://127.0.0.1:1", "/t/a%2Fb%3Fc%23d%26e%252e/q?n=2")
    assert filled.shown.endswith('/q?n=2 {"a":["a/b?c#d&e%2e",1]}')
    for word in (".", ".."):
        with pytest.raises(ActionRefused, match="another path"):
            fill(put, {"tenant": word, "count": "2", "service": "s"})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"tenant": "a"}, {"tenant": "a", "count": "2"}),
        ({"tenant": "a", "count": 3}, {"tenant": "a", "count": "3"}),
        ({"tenant": "a", "count": "3"}, {"tenant": "a", "count": "3"}),
        ({}, "drop needs tenant"),
        ({"tenant": "a", "shell": "x"}, "no parameter 'shell'"),
        ({"tenant": "a", "count": 0}, "count: '0' is not from 1 to 9"),
    ],
)
def test_the_parameters_of_a_call_are_read_as_words(given: dict[str, Any], said: Any) -> None:
    if isinstance(said, dict):
        assert operation().read({"operation": "drop", **given}) == said
        return
    with pytest.raises(ActionRefused, match=said):
        operation().read({"operation": "drop", **given})


def test_an_undo_is_made_of_the_parameters_and_of_the_state() -> None:
    state = {"run": ["/bin/state"], "keep": ["count"]}
    undo = {"operation": "drop", "parameters": {"tenant": "{tenant}", "count": "{state.count}"}}
    drop = operation(state=state, undo=undo, risk="low")
    assert fill_undo(drop, {"tenant": "a", "count": "5"}, {"count": 3}) == {"tenant": "a", "count": "3"}
    with pytest.raises(ActionRefused, match="the state does not say count"):
        fill_undo(drop, {"tenant": "a", "count": "5"}, {})


def test_headers_come_from_the_environment() -> None:
    headers = {"Authorization": "Bearer ${env:BASKET_TOKEN}", "X-Team": "baskets"}
    assert fill_headers(headers, {"BASKET_TOKEN": "abc"}) == {"Authorization": "Bearer abc", "X-Team": "baskets"}
    with pytest.raises(ActionRefused, match="BASKET_TOKEN is not set"):
        fill_headers(headers, {})


def test_whatever_changes_in_the_file_changes_the_digest() -> None:
    changes: list[dict[str, Any]] = [
        {}, {"risk": "high", "says": "x"}, {"run": ["/bin/drop", "{tenant}"]}, {"timeout": 9}, {"nothing_done": [1]},
    ]  # fmt: skip
    assert len({operation(**changed).digest for changed in changes}) == len(changes)


# --- the action of the catalogue -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "run_operation basket-api operation=drop",
        "run_operation basket-api operation=drop tenant=a/b.c count=3 flag=true",
        "run_operation basket-api operation=drop a=x=y",
    ],
)
def test_a_call_with_parameters_is_read_and_written_alike(text: str) -> None:
    proposal = parse_call(text)
    assert describe_call(proposal.action, proposal.target, proposal.arguments) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("run_operation basket-api", "operation: is missing"),
        ("run_operation basket-api operation=Drop", "operation"),
        ("run_operation basket-api operation=drop Tenant=x", "no name of a parameter"),
        ("run_operation basket-api operation=drop tenant=-x", "does not begin with -"),
        ("run_operation basket-api operation=drop tenant=", "does not begin with -"),
        ("run_operation basket-api operation=drop tenant", "NAME=VALUE"),
        ("run_operation basket-api operation=drop " + " ".join(f"p{n}=1" for n in range(21)), "more than 20"),
        ("restart_service basket-api tenant=x", "not a known field"),
    ],
)
def test_a_call_that_is_none_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_call(text)
    assert said in caught.value.message


def test_an_operation_earns_no_trust_as_another_has_the_same_name() -> None:
    record, terms, spec = TrustRecord(runs=9, in_row=9), TrustTerms(5, 3, "earned"), CATALOGUE["run_operation"]
    refused = why_not_promoted(record, terms, spec, Risk.LOW, reversible=True)
    assert refused is not None and "earns no trust" in refused
    assert why_not_promoted(record, terms, CATALOGUE["set_flag"], Risk.LOW, reversible=True) is None
