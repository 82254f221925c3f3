"""How well alerts of real products are read: which share of titles, statuses and severities agrees, per provider.

    .venv/bin/python benchmarks/alert_formats.py FOLDER [--output json]

FOLDER holds payloads and an `index.json`: a list of objects with `file`, `provider`, `title`, `status_native` and
`severity_native`, each null where the payload has none. A title agrees when it is the same but for blanks. A status
agrees when the product's word means the same as what was read, a severity when both are the same of the five levels;
what a word means is looked up here, in the products' documentation, and not in the parsers.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiops_cli.adapters.alerts import Payload, read_payload
from aiops_cli.domain.alert import Alert
from aiops_cli.errors import BadInput

FIELDS = ("title", "status", "severity")
# Words of products that say that it is over; every other word says that it goes on. Without data is not over.
OVER = frozenset(
    {
        "resolved",
        "ok",
        "closed",
        "close",
        "up",
        "recovered",
        "recovery",
        "clear",
        "cleared",
        "normal",
        "success",
        "deactivated",
        "alert_recovery",
        "alert_degraded_recovery",
        "inactive",
        "pass",
        "resolve",
    }
)
LEVELS: Mapping[str, str] = {
    **dict.fromkeys(
        ("critical", "p1", "1", "sev0", "fatal", "disaster", "emergency", "availability", "5 disaster"), "critical"
    ),
    **dict.fromkeys(("high", "p2", "2", "error", "major", "sev1"), "high"),
    **dict.fromkeys(("warning", "p3", "3", "medium", "minor", "moderate", "average", "sev2", "warn"), "warning"),
    **dict.fromkeys(
        ("info", "p4", "p5", "4", "5", "low", "informational", "information", "sev3", "sev4", "ok"), "info"
    ),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One payload: what was read, and for each field whether it agrees, None when there is nothing to agree with."""

    provider: str
    file: str
    format: str
    error: str
    agrees: Mapping[str, bool | None]
    wanted: Mapping[str, str | None]
    read: Mapping[str, str]


def measure(folder: Path) -> list[Row]:
    """One row for each payload that the index names."""
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    return [_row(folder, entry) for entry in index]


def _row(folder: Path, entry: Mapping[str, Any]) -> Row:
    wanted = {"title": entry["title"], "status": entry["status_native"], "severity": entry["severity_native"]}
    try:
        payload = read_payload((folder / entry["file"]).read_bytes(), entry["file"], sanitize=True)
    except BadInput as error:
        agrees = {name: None if value is None else False for name, value in wanted.items()}
        return Row(entry["provider"], entry["file"], "", error.message, agrees, wanted, {})
    alert = _first(payload)
    read = {"title": alert.name, "status": alert.status.value, "severity": alert.severity.value}
    agrees = {name: _agrees(name, wanted[name], read[name]) for name in FIELDS}
    return Row(entry["provider"], entry["file"], payload.format, "", agrees, wanted, read)


def _first(payload: Payload) -> Alert:
    return payload.groups[0].alerts[0]


def _agrees(name: str, wanted: str | None, read: str) -> bool | None:
    if wanted is None:
        return None
    if name == "title":
        return " ".join(wanted.split()) == read
    word = wanted.lower().replace(" ", "_") if name == "status" else wanted.lower()
    if name == "status":
        return ("resolved" if word.rpartition(".")[2] in OVER or word in OVER else "firing") == read
    return LEVELS.get(word) == read


def share(rows: Iterable[Row], name: str) -> str:
    """`agreeing/compared`, or a dash where nothing was to compare."""
    known = [row.agrees[name] for row in rows if row.agrees[name] is not None]
    return f"{sum(map(bool, known))}/{len(known)}" if known else "-"


def _print(rows: Sequence[Row]) -> None:
    providers = sorted({row.provider for row in rows})
    print(f"{'provider':28}{'files':>6}{'read':>6}" + "".join(f"{name:>10}" for name in FIELDS))
    for provider in [*providers, "all"]:
        mine = [row for row in rows if provider in ("all", row.provider)]
        read = sum(not row.error for row in mine)
        print(f"{provider:28}{len(mine):>6}{read:>6}" + "".join(f"{share(mine, name):>10}" for name in FIELDS))
    print()
    for row in rows:
        if row.error:
            print(f"{row.file}: not read: {row.error}")
        for name in FIELDS:
            if row.agrees[name] is False and not row.error:
                print(f"{row.file} ({row.format}): {name} {row.read[name]!r}, wanted {row.wanted[name]!r}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, or the rows as JSON; 1 when a payload was not read."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--output", choices=("text", "json"), default="text")
    parser.add_argument("--formats", action="store_true", help="also print what each file was read as")
    chosen = parser.parse_args(arguments)
    rows = measure(chosen.folder)
    if chosen.output == "json":
        json.dump([{name: getattr(row, name) for name in Row.__slots__} for row in rows], sys.stdout, indent=2)
    else:
        _print(rows)
        if chosen.formats:
            print(*(f"{row.file}: {row.format}; {dict(row.read)}" for row in rows), sep="\n")
    return int(any(row.error for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
