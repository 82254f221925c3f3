"""Rules of the shape that the import contracts cannot express."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

SRC = Path(__file__).resolve().parents[1] / "src" / "aiops_cli"
FILES = sorted(SRC.rglob("*.py"))


def trees() -> Iterator[tuple[str, ast.Module]]:
    yield from _parsed().items()


@cache
def _parsed() -> dict[str, ast.Module]:
    return {path.relative_to(SRC).as_posix(): ast.parse(path.read_text()) for path in FILES}


def calls_of(tree: ast.Module, name: str) -> list[ast.Call]:
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and (getattr(node.func, "id", None) == name or getattr(node.func, "attr", None) == name)
    ]


def test_only_the_gate_makes_a_permit() -> None:
    makers = {name for name, tree in trees() if calls_of(tree, "Permit")}
    assert makers == {"domain/gate.py"}


def test_permits_are_made_in_judge_alone() -> None:
    tree = ast.parse((SRC / "domain" / "gate.py").read_text())
    judge = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "judge")
    assert len(calls_of(tree, "Permit")) == len(calls_of(ast.Module([judge], []), "Permit")) == 1


def test_no_permit_is_copied_into_another() -> None:
    """`replace(permit, ...)` or `object.__new__(Permit)` would be a second maker."""
    for name, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in (
                "replace", "__new__", "copy", "deepcopy", "__replace__",
            ):  # fmt: skip
                named = {getattr(arg, "id", getattr(arg, "attr", "")) for arg in node.args}
                assert not named & {"permit", "Permit"}, name


def test_an_actuator_takes_nothing_but_a_permit() -> None:
    found = []
    for name, tree in trees():
        if name != "ports.py" and not name.startswith("adapters/backends/"):
            continue
        for cls in [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]:
            for method in [node for node in cls.body if isinstance(node, ast.FunctionDef) and node.name == "apply"]:
                arguments = [ast.unparse(arg.annotation) for arg in method.args.args[1:] if arg.annotation]
                assert arguments == ["Permit"], f"{name}: {cls.name}"
                found.append(cls.name)
    assert {"Actuator", "RoutedActuator", "SimulatedActuator"} <= set(found)


def test_permits_are_applied_in_one_place() -> None:
    methods = [
        (name, call.func) for name, tree in trees() for call in calls_of(tree, "apply")
        if isinstance(call.func, ast.Attribute)
    ]  # fmt: skip
    callers = [(name, ast.unparse(method)) for name, method in methods]
    # What fits a text into its room and what changes a schema have an `apply` too, and no permit.
    other = ("domain/excerpt.py", "adapters/store/migrations.py")
    assert sorted(each for each in callers if each[0] not in other) == [
        ("adapters/backends/routing.py", "self._of(permit.call).apply"),
        ("gatekeeping.py", "self.actuator.apply"),
    ]


def test_an_effect_is_made_only_with_the_permit_that_a_claim_gave() -> None:
    """`judge` is asked inside the claim's transaction, and what makes the effect gets that ruling's permit."""
    judges = {name for name, tree in trees() for node in ast.walk(tree)
              if isinstance(node, ast.ImportFrom) and "judge" in {alias.name for alias in node.names}
              and node.module == "aiops_cli.domain.gate"}  # fmt: skip
    assert judges == {"gatekeeping.py"}
    tree = ast.parse((SRC / "gatekeeping.py").read_text())
    keeper = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Gatekeeper")
    act = next(node for node in keeper.body if isinstance(node, ast.FunctionDef) and node.name == "act")
    (made,) = calls_of(tree, "_make")
    assert made in calls_of(ast.Module([act], []), "_make") and ast.unparse(made.args[0]) == "ruling.permit"
    given = [ast.unparse(node.value) for node in ast.walk(act) if isinstance(node, ast.Assign)
             and ast.unparse(node.targets[0]) == "ruling"]  # fmt: skip
    assert len(given) == 1 and given[0].startswith("self.book.claim(")


def test_only_the_actuator_writes_an_effect_into_a_journal_and_only_restoring_repeats_one() -> None:
    writers = {name for name, tree in trees() for call in calls_of(tree, "append")
               if "journal" in ast.unparse(call.func)}  # fmt: skip
    assert writers == {"adapters/backends/simulator/actuator.py"}
    restorers = {name for name, tree in trees() if calls_of(tree, "restore") and name != "adapters/library.py"}
    assert "bootstrap/worlds.py" in restorers


def test_nobody_renames_the_permit() -> None:
    for name, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                assert not [alias for alias in node.names if alias.name == "Permit" and alias.asname], name


def test_only_the_table_of_actions_changes_a_simulated_world() -> None:
    world = ast.parse((SRC / "adapters" / "backends" / "simulator" / "world.py").read_text())
    recorded = {
        method.name
        for cls in world.body
        if isinstance(cls, ast.ClassDef) and cls.name == "World"
        for method in cls.body
        if isinstance(method, ast.FunctionDef)
        and (calls_of(ast.Module([method], []), "_did") or calls_of(ast.Module([method], []), "perform"))
    }
    assert {"fail_over", "scale", "restart", "release", "drain", "point", "limit"} <= recorded
    changers = {
        name
        for name, tree in trees()
        for method in recorded
        for call in calls_of(tree, method)
        if isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value).endswith("world")
    }
    assert changers == {"adapters/backends/simulator/actions.py"}


def test_steps_are_taken_by_the_actuator_and_in_worlds_that_nobody_else_sees() -> None:
    takers = {name for name, tree in trees() if calls_of(tree, "effect")}
    # What a journal tells had its permit when it was written down.
    makers = ("actuator", "rehearsal", "restore")
    assert takers == {f"adapters/backends/simulator/{name}.py" for name in makers}
    pipeline_and_shell = [name for name, tree in trees() if calls_of(tree, "Actions")]
    assert sorted(pipeline_and_shell) == sorted(takers)


def test_no_tool_of_another_agent_can_reach_an_action() -> None:
    """They get at the store, at runbooks and at words; nothing that proposes, approves or acts is among it."""
    reached: set[str] = set()
    for name, tree in trees():
        if name.startswith("toolbox/"):
            for node in ast.walk(tree):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("aiops_cli"):
                    wanted = {f"{node.module}.{alias.name}" for alias in node.names}
                    reached |= wanted if ".bootstrap" in str(node.module) else {str(node.module)}
                assert not isinstance(node, ast.Import) or "aiops_cli" not in ast.unparse(node), name
    outside = {each for each in reached if not each.startswith(("aiops_cli.domain.", "aiops_cli.toolbox"))}
    assert outside - {"aiops_cli.errors"} == {
        "aiops_cli.adapters.store.base",
        "aiops_cli.adapters.store.history",
        "aiops_cli.adapters.store.reading",
        "aiops_cli.adapters.store.search",
        "aiops_cli.adapters.store.transfer",
        "aiops_cli.adapters.ui.words",
        *(
            f"aiops_cli.bootstrap.{name}"
            for name in (
                "runbooks.find_runbook",
                "runbooks.found_runbook_data",
                "runbooks.refresh_runbooks",
                "runbooks.runbook_data",
                "store.check_store",
                "store.open_history",
                "store.open_records",
            )
        ),
    }
    forbidden = ("gate", "plan", "action", "consultation")
    assert not {each for each in reached if each.rpartition(".")[2] in forbidden}


def test_the_truth_is_read_by_scoring_and_rehearsals_alone() -> None:
    readers = {name for name, tree in trees() for node in ast.walk(tree)
               if isinstance(node, ast.Attribute) and node.attr == "truth"}  # fmt: skip
    assert readers == {
        "adapters/backends/simulator/rehearsal.py",
        "adapters/backends/simulator/review.py",
        "adapters/backends/simulator/scenario.py",
        "bootstrap/past_runs.py",
        "cli/scenarios.py",
        "evaluation.py",
    }


def test_the_one_broad_except_is_in_the_app() -> None:
    broad = {
        name
        for name, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or getattr(node.type, "id", "") in ("Exception", "BaseException"))
    }
    assert broad == {"cli/app.py"}


def test_every_usage_error_says_what_to_do_next() -> None:
    for name, tree in trees():
        for call in calls_of(tree, "UsageError"):
            assert any(word.arg in ("hint", None) for word in call.keywords), f"{name}:{call.lineno}"


def test_nothing_runs_a_shell_or_evaluates_text() -> None:
    for name, tree in trees():
        source = ast.unparse(tree)
        assert "shell=True" not in source and "os.system" not in source, name
        assert not calls_of(tree, "eval") and not calls_of(tree, "exec"), name


def test_the_pipeline_and_the_domain_print_nothing() -> None:
    for name, tree in trees():
        if name.startswith(("domain/", "bootstrap/")) or name in ("pipeline.py", "events.py", "ports.py"):
            assert not calls_of(tree, "print"), name


def test_every_module_and_public_class_says_what_it_is() -> None:
    for name, tree in trees():
        assert ast.get_docstring(tree), name
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                assert ast.get_docstring(node), f"{name}: {node.name}"


HEAVY = ("sqlalchemy", "google.genai", "pydantic", "questionary", "prompt_toolkit", "keyring", "opentelemetry", "yaml",
         "genai_prices", "rapidfuzz", "rich.console", "httpx2", "openai", "asyncio", "mcp", "mcp_types")  # fmt: skip


def modules_after(*arguments: str) -> set[str]:
    code = (
        "import sys; sys.argv = ['aiops', *sys.argv[1:]]\n"
        "from aiops_cli.cli.start import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('MODULES', *sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True).stdout
    return set(out.split("MODULES", 1)[1].split())


def heavy_of(modules: set[str]) -> set[str]:
    return {name for name in HEAVY if name in modules}


# Typer itself loads pydantic to read the options of a subcommand, and SQLAlchemy loads asyncio.
TYPER = {"pydantic"}


@pytest.mark.parametrize(
    ("arguments", "heavy"),
    [(["--help"], set()), (["--version"], set()), (["triage", "--help"], TYPER), (["history", "search", "-h"], TYPER)],
)
def test_help_and_version_load_nothing_heavy(arguments: list[str], heavy: set[str]) -> None:
    modules = modules_after(*arguments)
    assert heavy_of(modules) <= heavy
    groups = tuple(f"aiops_cli.cli.{folder.parent.name}" for folder in (SRC / "cli").glob("*/__init__.py"))
    ours = {name for name in modules if name.startswith("aiops_cli") and not name.startswith(groups)}
    allowed = {"aiops_cli", "aiops_cli.errors", "aiops_cli.cli"} | {
        f"aiops_cli.cli.{name}"
        for name in (
            "app",
            "options",
            "actions",
            "config",
            "doctor",
            "eval",
            "handoff",
            "init",
            "readiness",
            "redact",
            "replay",
            "scenarios",
            "start",
            "triage",
            "undo",
        )
    }
    assert ours == allowed


def test_a_search_of_the_history_loads_the_store_and_no_more() -> None:
    modules_after("history", "search", "x")
    modules = modules_after("history", "search", "x")
    assert heavy_of(modules) <= {"sqlalchemy", "asyncio"} | TYPER
    ours = {name.removeprefix("aiops_cli.") for name in modules if name.startswith("aiops_cli.domain.")}
    assert ours == {"domain.memory", "domain.ranking", "domain.redact", "domain.status", "domain.thesaurus",
                    "domain.words"}  # fmt: skip


def test_costs_are_told_without_the_list_of_prices() -> None:
    modules_after("cost")
    assert heavy_of(modules_after("cost")) <= {"sqlalchemy", "asyncio"} | TYPER
    assert heavy_of(modules_after("cost", "budget", "-o", "csv")) <= {"sqlalchemy", "asyncio"} | TYPER


def test_a_search_of_the_runbooks_reads_no_file_that_did_not_change() -> None:
    modules_after("runbooks", "list")
    modules = modules_after("runbooks", "search", "x")
    assert heavy_of(modules) <= {"sqlalchemy", "asyncio"} | TYPER
    assert not modules & {"markdown_it", "aiops_cli.domain.page", "aiops_cli.adapters.library"}


def test_an_offline_replay_loads_no_model_keyring_or_prompt() -> None:
    loaded = heavy_of(modules_after("replay", "search-morning", "--quiet", "--reasoner", "offline"))
    assert not loaded & {
        "google.genai",
        "openai",
        "keyring",
        "questionary",
        "prompt_toolkit",
        "genai_prices",
        "httpx2",
    }
