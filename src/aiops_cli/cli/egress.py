"""What would leave this machine, as `--show-egress` prints it."""

import json
from typing import TYPE_CHECKING

from aiops_cli.cli.render import talk

if TYPE_CHECKING:
    from aiops_cli.adapters.models.egress import Leaving


def print_leaving(leaving: "Leaving") -> None:
    """One request on stderr: address, headers without the key, and the body with line breaks for a person."""
    lines = [f"--- would leave: {leaving.method} {leaving.url}"]
    lines += [f"{name}: {value}" for name, value in leaving.headers.items()]
    if leaving.body:
        lines += ["", *json.dumps(json.loads(leaving.body), ensure_ascii=False, indent=2).split("\n")]
    lines.append(f"--- {len(leaving.body)} bytes, not sent")
    for line in lines:
        talk(line)
