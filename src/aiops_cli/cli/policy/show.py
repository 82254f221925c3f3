"""`aiops policy show`."""

from typing import TYPE_CHECKING, Any

from aiops_cli.cli.options import Output, OutputOption

if TYPE_CHECKING:
    from aiops_cli.domain.policy import Policy, PolicySet


def show(output: OutputOption = Output.TEXT) -> None:
    """Show which policy files apply here, their rules in words, and what is wrong with them."""
    from aiops_cli.cli.policy.opening import open_policies
    from aiops_cli.cli.render import print_json, print_lines

    policies = open_policies()
    if output is Output.JSON:
        print_json({"schema_version": 1, **_data(policies)})
    else:
        print_lines(_lines(policies))


def _data(policies: "PolicySet") -> dict[str, Any]:
    return {
        "digest": policies.digest,
        "problems": list(policies.problems),
        "files": [_file_data(each) for each in policies.policies],
    }


def _file_data(policy: "Policy") -> dict[str, Any]:
    from aiops_cli.domain.policy_words import file_words

    return {
        "label": policy.label,
        "place": policy.place,
        "timezone": policy.file.timezone,
        "tests": len(policy.file.tests),
        "rules": [{"id": name, "says": says, "why": why} for name, says, why in file_words(policy.file)],
    }


def _lines(policies: "PolicySet") -> list[str]:
    lines = [f"policy {policies.digest}"]
    for problem in policies.problems:
        lines += [f"broken: {problem}"]
    if policies.problems:
        lines += ["everything is denied until this is put right"]
    for policy in policies.policies:
        lines += ["", *_file_lines(policy)]
    return lines


def _file_lines(policy: "Policy") -> list[str]:
    from aiops_cli.domain.policy_words import file_words

    tests = len(policy.file.tests)
    counted = f"{tests or 'no'} test{'s' * (tests != 1)}"
    lines = [f"{policy.label}: {policy.place} (time zone {policy.file.timezone}, {counted})"]
    for name, says, why in file_words(policy.file):
        lines += [f"  {name}", f"    {says}", f"    why: {why}"]
    return lines
