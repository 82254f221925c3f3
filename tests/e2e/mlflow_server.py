"""A real MLflow server on loopback, from an environment of its own, with its data in a folder of the test."""

import contextlib
import http.client
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .servers import HOST, call, free_port, missing

API = "/api/2.0/mlflow"
_READY_LIMIT_S = 60
_STOP_LIMIT_S = 5
_POLL_S = 0.1


class Mlflow:
    """The server, as whoever trains and promotes models uses it."""

    def __init__(self, port: int, database: Path) -> None:
        self.url = f"http://{HOST}:{port}"
        self._port = port
        self._database = database
        self._experiment = ""

    def ask(self, method: str, path: str, data: Any = None) -> dict[str, Any]:
        """One request to its API."""
        answer: dict[str, Any] = json.loads(call(self._port, method, f"{API}/{path}", data))
        return answer

    def register(self, model: str, version: str, data: str, **metrics: float) -> None:
        """Train a version in a run of its own, with what it measured, and register it."""
        if version == "1":
            self.ask("POST", "registered-models/create", {"name": model})
            self._experiment = self.ask("POST", "experiments/create", {"name": model})["experiment_id"]
        run = self.ask("POST", "runs/create", {"experiment_id": self._experiment, "start_time": 1})
        id_ = run["run"]["info"]["run_id"]
        for key, value in metrics.items():
            row = {"run_id": id_, "key": key, "value": value, "timestamp": 1, "step": 0}
            self.ask("POST", "runs/log-metric", row)
        dataset = {"name": data, "digest": "d1", "source_type": "local", "source": data}
        self.ask("POST", "runs/log-inputs", {"run_id": id_, "datasets": [{"dataset": dataset}]})
        source = f"mlflow-artifacts:/{self._experiment}/{id_}/artifacts/model"
        made = self.ask("POST", "model-versions/create", {"name": model, "source": source, "run_id": id_})
        assert made["model_version"]["version"] == version

    def promote(self, model: str, alias: str, version: str) -> None:
        """Point an alias to a version, as a pipeline would."""
        self.ask("POST", "registered-models/alias", {"name": model, "alias": alias, "version": version})

    def serves(self, model: str, alias: str) -> str:
        """The version that whoever loads MODEL@ALIAS gets."""
        found = self.ask("GET", f"registered-models/alias?name={model}&alias={alias}")
        return str(found["model_version"]["version"])

    def make_older(self, model: str, version: str, seconds: float) -> None:
        """Put a version's time back in the server's database: nobody waits for twenty minutes in a test."""
        with contextlib.closing(sqlite3.connect(self._database, timeout=10)) as database, database:
            database.execute(
                "UPDATE model_versions SET creation_time = creation_time - ?, last_updated_time = last_updated_time - ?"
                " WHERE name = ? AND version = ?",
                (int(seconds * 1000), int(seconds * 1000), model, int(version)),
            )


def find_mlflow() -> str:
    """The program of the environment that `make e2e` makes beside the project's own."""
    program = Path(f"{sys.prefix}-mlflow") / "bin" / "mlflow"
    return str(program) if program.exists() else missing("mlflow")


@contextlib.contextmanager
def run_mlflow(program: str, folder: Path) -> Iterator[Mlflow]:
    """The server with a database of its own; it sends nothing to its makers."""
    port, database = free_port(), folder / "mlflow.db"
    command = [
        program, "server", "--host", HOST, "--port", str(port), "--workers", "1",
        "--backend-store-uri", f"sqlite:///{database}", "--artifacts-destination", str(folder / "artifacts"),
    ]  # fmt: skip
    environment = {
        **os.environ,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    log = folder / "mlflow.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            # It starts a server of its own below it: both have to be ended.
            start_new_session=True,
        )
    try:
        if not _is_ready(process, port):
            raise AssertionError(f"MLflow did not become ready; its last words:\n{log.read_text()[-2000:]}")
        yield Mlflow(port, database)
    finally:
        _stop(process)


def _is_ready(process: "subprocess.Popen[bytes]", port: int) -> bool:
    limit = time.monotonic() + _READY_LIMIT_S
    while time.monotonic() < limit and process.poll() is None:
        with contextlib.suppress(OSError, http.client.HTTPException, AssertionError):
            call(port, "GET", "/health")
            return True
        time.sleep(_POLL_S)
    return False


def _stop(process: "subprocess.Popen[bytes]") -> None:
    for by in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, by)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_LIMIT_S)
