"""How large the first question to a model is: findings first, beside the evidence dumped raw.

usage: python benchmarks/prompt_tokens.py --cases FOLDER [--with-tools | --single]

Each folder below FOLDER is a recorded case. Both texts are counted in the same way, as characters through four; what is
compared is the ratio. The raw dump is the alert and every byte of the evidence files, with the same instructions,
catalogue and shape of the answer. Tools are counted with the prompt that has them. Exit code 0 in any case.
"""

import argparse
import json
import statistics
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from aiops_cli.bootstrap.recorded import read_case
from aiops_cli.bootstrap.runbooks import refresh_runbooks
from aiops_cli.bootstrap.store import open_store
from aiops_cli.domain.consultation import CONCLUDE, Background, ask
from aiops_cli.domain.diagnosis import diagnose
from aiops_cli.domain.evidence import EvidenceSet
from aiops_cli.domain.findings import Case, incident_end, signatures_of
from aiops_cli.domain.inquiry import tool_specs
from aiops_cli.domain.prompt import Prompt

CHARS_PER_TOKEN = 4


def tokens(text: str) -> int:
    """The count, by the rule of thumb that both sides share."""
    return len(text) // CHARS_PER_TOKEN


def first_question(folder: Path, *, with_tools: bool) -> Prompt:
    """What a model would be asked of a recorded case."""
    opened = read_case(folder)
    now = datetime.now(UTC)
    evidence = EvidenceSet.collect(opened.handed.items, opened.handed.coverage, now)
    case = Case(opened.group, None, evidence, incident_end(opened.group, evidence, now))
    store = open_store(None)
    refresh_runbooks(store)
    recall = store.recall(
        opened.group, signatures=signatures_of(case), simulated=False, exclude=(), limit=3, before=now
    )
    store.close()
    background = Background(offline=diagnose(case, recall), recall=recall, inventory=())
    return ask(case, background, (*tool_specs(), CONCLUDE) if with_tools else ())


def measure(folder: Path, *, with_tools: bool) -> tuple[int, int]:
    """Tokens with findings first, and with the evidence dumped."""
    prompt = first_question(folder, with_tools=with_tools)
    tools = json.dumps([asdict(tool) for tool in prompt.tools], default=dict)
    shape = json.dumps(prompt.schema, default=dict)
    files = sorted(path for path in (folder / "evidence").rglob("*") if path.is_file())
    raw = "".join(path.read_text(encoding="utf-8", errors="replace") for path in files)
    alert = folder / "alert.json"
    raw += alert.read_text(encoding="utf-8") if alert.is_file() else ""
    return tokens(prompt.system + prompt.user + (tools if prompt.tools else shape)), tokens(prompt.system + shape + raw)


def main() -> None:
    """Print a row a case, then medians and worst."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=Path, required=True)
    parser.add_argument("--single", action="store_true", help="one question without tools, with more of the evidence")
    arguments = parser.parse_args()
    rows = [
        (folder.name, *measure(folder, with_tools=not arguments.single))
        for folder in sorted(arguments.cases.iterdir())
        if (folder / "case.yaml").is_file()
    ]
    print(f"{'case':42} {'findings first':>14} {'raw':>9} {'ratio':>7}")
    for name, first, raw in rows:
        print(f"{name[:42]:42} {first:14,} {raw:9,} {raw / first:7.1f}")
    for word, pick in (("median", statistics.median), ("worst", max)):
        print(f"{word:42} {pick([r[1] for r in rows]):14,.0f} {pick([r[2] for r in rows]):9,.0f}")
    print(f"median of the ratios {statistics.median(raw / first for _, first, raw in rows):.1f}; "
          f"smallest {min(raw / first for _, first, raw in rows):.1f}")  # fmt: skip


if __name__ == "__main__":
    main()
