"""YAML is read in one place, which takes no key twice, no alias, no anchor and no tag, whoever asks."""

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aiops_cli import strict_yaml
from aiops_cli.adapters.backends.paved_road.file import read_paved_road
from aiops_cli.adapters.exporters import read_form, record_markdown
from aiops_cli.adapters.importers import front_matter
from aiops_cli.adapters.library import parse_runbook
from aiops_cli.adapters.runbook_files import read_runbook_text
from aiops_cli.adapters.thesaurus_file import read_thesaurus
from aiops_cli.bootstrap.recorded import read_case
from aiops_cli.bootstrap.setup import _contexts_of
from aiops_cli.bootstrap.worlds import read_scenario
from aiops_cli.domain.reading.kubectl_objects import read_manifests
from aiops_cli.domain.record import Record
from aiops_cli.domain.runbook_review import read_rules
from aiops_cli.errors import AiopsError

SRC = Path(strict_yaml.__file__).parent
TRAPS = {
    "a key twice": ("min: 2\nmin: 0\n", "occurs twice"),
    "a key twice, deeper": ("a:\n  - {min: 2, min: 0}\n", "occurs twice"),
    "a key twice, quoted": ("min: 2\n'min': 0\n", "occurs twice"),
    "an alias": ("a: &x 1\nb: *x\n", "aliases"),
    "an anchor alone": ("a: &x 1\n", "aliases"),
    "a merge": ("a: &x {b: 1}\nc: {<<: *x}\n", "aliases"),
    "a merge without an alias": ("c:\n  <<: {b: 1}\n", "plain word"),
    "a growing alias": ("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "aliases"),
    "a tag": ("a: !!python/object/apply:os.system [ls]\n", "not allowed"),
    "a tag of its own": ("a: !x 1\n", "not allowed"),
    "a list as a key": ("? [a]\n: 1\n", "plain word"),
}


def _file(name: str, read: Callable[[Path], Any]) -> Callable[[str, Path], Any]:
    def use(text: str, folder: Path) -> Any:
        (folder / name).write_text(text)
        return read(folder)

    return use


def _manifests(text: str, folder: Path) -> None:
    said: list[str] = []
    assert list(read_manifests(f"kind: Pod\nmetadata: {{name: x}}\n{text}", said.append)) == []
    raise AiopsError("; ".join(said))


def _front_matter(text: str, folder: Path) -> None:
    front = front_matter.split(f"---\n{text}---\nprose\n")
    if front is None:
        # Without a key at its beginning it is no front matter at all, and nothing is read.
        raise AiopsError("occurs twice aliases not allowed plain word")
    wrong = front_matter.read(front)[1]
    assert wrong is not None
    raise AiopsError(wrong[1])


def _runbook_page(text: str, folder: Path) -> None:
    book = read_runbook_text(f"---\nid: x\nactions: []\nverify: x\n{text}---\n# x\n", "x", "x.md")
    assert book.structured is None and book.problem is not None
    raise AiopsError(book.problem)


READERS: dict[str, Callable[[str, Path], Any]] = {
    "strict_yaml": lambda text, folder: strict_yaml.read_yaml(text, "x"),
    "a scenario": _file("scenario.yaml", lambda folder: read_scenario(str(folder / "scenario.yaml"))),
    "a recorded case": _file("case.yaml", read_case),
    "a thesaurus": _file("thesaurus.yaml", lambda folder: read_thesaurus(folder / "thesaurus.yaml")),
    "a runbook": lambda text, folder: parse_runbook(f"---\n{text}---\n# x\n", "x.md"),
    "a page of a team": _runbook_page,
    "a postmortem": _front_matter,
    "the form of an editor": lambda text, folder: read_form(
        record_markdown(Record(title="x"), form=True).replace("---\n", f"---\n{text}", 1), Record(title="x")
    ),
    "a manifest in the evidence": _manifests,
    "a paved road": _file("paved_road.yaml", lambda folder: read_paved_road(folder / "paved_road.yaml")),
    "a kubeconfig": _file("config", lambda folder: _contexts_of(folder / "config")),
    "rules of Prometheus": lambda text, folder: read_rules(f"groups: []\n{text}", "rules.yml"),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("trap", TRAPS)
def test_no_reader_takes_a_trap(reader: str, trap: str, tmp_path: Path) -> None:
    text, reason = TRAPS[trap]
    with pytest.raises(AiopsError) as refused:
        READERS[reader](text, tmp_path)
    said = f"{refused.value.message} {refused.value.hint}"
    assert reason in said, said


def test_yaml_is_loaded_in_one_module() -> None:
    users = {
        path.relative_to(SRC).as_posix()
        for path in SRC.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Import) and any(name.name.split(".")[0] in _LOADERS for name in node.names))
        or (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in _LOADERS)
    }
    assert users == {"strict_yaml.py"}


def test_every_module_that_reads_yaml_is_in_the_table() -> None:
    users = {path.relative_to(SRC).as_posix() for path in SRC.rglob("*.py") if "import read_yaml" in path.read_text()
             or "import YamlDocument, read_yaml" in path.read_text()}  # fmt: skip
    assert users == {
        "adapters/backends/paved_road/file.py", "adapters/exporters.py", "adapters/importers/front_matter.py",
        "adapters/library.py", "bootstrap/setup.py",
        "adapters/policy_files.py", "adapters/thesaurus_file.py", "domain/markdown.py",
        "domain/reading/kubectl_objects.py", "domain/runbook_review.py",
    }  # fmt: skip


_LOADERS = frozenset({"yaml", "ruamel", "strictyaml", "oyaml"})
