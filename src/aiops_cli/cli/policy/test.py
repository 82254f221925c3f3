"""`aiops policy test`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aiops_cli.cli.options import Output, OutputOption
from aiops_cli.errors import ExitCode

if TYPE_CHECKING:
    from aiops_cli.domain.policy import Policy, PolicySet


def test(
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="A file to try; else all that apply.")] = None,
    output: OutputOption = Output.TEXT,
) -> ExitCode:
    """Run the tests that policy files carry. Exit code 2 when one fails, or a file does not hold."""
    from aiops_cli.bootstrap.policy import try_policy_file
    from aiops_cli.cli.policy.opening import open_policies
    from aiops_cli.cli.render import print_json, print_lines

    policies = try_policy_file(file) if file is not None else open_policies()
    if output is Output.JSON:
        print_json({"schema_version": 1, **_data(policies)})
    else:
        print_lines(_lines(policies))
    return ExitCode.USAGE if policies.problems else ExitCode.DONE


def _data(policies: "PolicySet") -> dict[str, Any]:
    return {
        "digest": policies.digest,
        "problems": list(policies.problems),
        "files": [{"label": each.label, "place": each.place, "tests": _results(each)} for each in policies.policies],
    }


def _results(policy: "Policy") -> list[dict[str, Any]]:
    from aiops_cli.domain.policy_tests import run_tests

    return [
        {"name": each.name, "passed": not each.problem, "problem": each.problem, "reason": each.verdict.reason}
        for each in run_tests(policy)
    ]


def _lines(policies: "PolicySet") -> list[str]:
    from aiops_cli.domain.redact import safe

    lines: list[str] = []
    for policy in policies.policies:
        lines.append(f"{policy.label}: {policy.place}")
        for each in _results(policy):
            said = each["problem"] or each["reason"]
            shown = safe(said, one_line=True)
            lines += [f"  {'ok' if each['passed'] else 'FAILED':<6}  {each['name']}", f"          {shown}"]
        lines += ["  it has no tests"] * (not policy.file.tests)
    return [*lines, *(f"broken: {problem}" for problem in policies.problems)]
