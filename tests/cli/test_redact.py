"""`aiops redact`, `--show-egress`, and what a whole run sends, shows and keeps."""

import base64
import json
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Result
from tests.embedding_server import EmbeddingServer, embed
from tests.fakes import model_answer
from tests.gemini_server import GeminiServer, answer
from tests.secret_samples import samples, traces

Aiops = Callable[..., Result]
# Half of it letters: what is nearly all digits is taken for a number and not for a secret.
WORD = "".join(f"{digit}{chr(ord('a') + int(digit, 16))}" for digit in uuid.uuid4().hex[:6])
ENCODED = base64.b64encode(f"token={WORD}".encode()).decode()
TEXT = f"db.corp.net user=ann password={WORD}\n10.1.2.3 db.corp.net\n"


# --- aiops redact ----------------------------------------------------------------------------------------------------


def test_standard_input_is_redacted_line_by_line(aiops: Aiops) -> None:
    result = aiops("redact", stdin=TEXT.encode())
    assert (result.code, result.err) == (0, "")
    assert result.out == "‹host-1› user=‹user-1› password=‹secret›\n‹ip-1› ‹host-1›\n"
    assert aiops("redact", "-", stdin=TEXT.encode()).out == result.out


def test_a_file_is_redacted_and_what_has_no_secret_is_the_same_bytes(aiops: Aiops, tmp_path: Path) -> None:
    clean, mixed = tmp_path / "clean.log", tmp_path / "mixed.log"
    clean.write_bytes("ümlaut\r\nno newline at the end \t x".encode())
    mixed.write_text(TEXT)
    assert aiops("redact", str(clean)).out == "ümlaut\r\nno newline at the end \t x"
    assert WORD not in aiops("redact", str(mixed)).out


def test_bytes_that_are_no_text_are_kept() -> None:
    done = run(b"\xff\xfe password=" + WORD.encode() + b"\n\x80 end")
    assert done == b"\xff\xfe password=\xe2\x80\xb9secret\xe2\x80\xba\n\x80 end"


def test_identifiers_can_be_left(aiops: Aiops, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = "db.corp.net user=ann password=‹secret›\n10.1.2.3 db.corp.net\n"
    assert aiops("redact", "--secrets-only", stdin=TEXT.encode()).out == plain
    monkeypatch.setenv("AIOPS_MASK_IDENTIFIERS", "false")
    assert aiops("redact", stdin=TEXT.encode()).out == plain


def test_json_counts_by_kind_and_shows_nothing(aiops: Aiops) -> None:
    result = aiops("redact", "-o", "json", stdin=TEXT.encode())
    assert json.loads(result.out) == {
        "schema_version": 1,
        "lines": 2,
        "secrets": {"secret": 1},
        "identifiers": {"host": 2, "ip": 1, "user": 1},
    }


@pytest.mark.parametrize("padding", [0, 65_500, 131_000])
def test_what_goes_over_lines_is_found_wherever_a_read_ends(aiops: Aiops, padding: int) -> None:
    for sample in samples(4):
        if "\n" in sample.text:
            text = "x" * padding + "\n" + sample.text + "\nlast\n"
            out = aiops("redact", "--secrets-only", stdin=text.encode()).out
            assert not [trace for trace in traces(sample) if trace in out], sample.kind
            assert out.endswith("\nlast\n") and out.count("\n") == text.count("\n")


def test_a_line_comes_out_before_the_next_one_goes_in() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "aiops_cli", "redact"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment()
    )
    assert process.stdin and process.stdout
    for number in range(3):
        process.stdin.write(f"line {number} of 10.0.0.{number + 1}\n".encode())
        process.stdin.flush()
        assert process.stdout.readline().decode() == f"line {number} of ‹ip-{number + 1}›\n"
    process.stdin.close()
    assert process.wait(10) == 0
    process.stdout.close()


def test_a_long_stream_needs_little_memory() -> None:
    line = b"2026-11-20T10:00:00Z INFO payments-api request done in 12 ms\n"
    code = (
        "import resource, sys; sys.argv = ['aiops', 'redact']\n"
        "from aiops_cli.cli.start import main\n"
        "try: main()\n"
        "finally: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
    )
    peaks = []
    for size in (1_000, 300_000):
        done = subprocess.run([sys.executable, "-c", code], input=line * size, capture_output=True, env=environment())
        assert done.stdout == line * size
        peaks.append(int(done.stderr.split()[-1]))
    assert peaks[1] < peaks[0] + 30_000


def test_a_file_that_is_not_there_is_a_usage_error(aiops: Aiops, tmp_path: Path) -> None:
    result = aiops("redact", str(tmp_path / "none"))
    assert result.code == 2 and "cannot read" in result.err and "hint:" in result.err
    assert aiops("redact", str(tmp_path)).code == 2


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def run(stdin: bytes) -> bytes:
    command = [sys.executable, "-m", "aiops_cli", "redact"]
    return subprocess.run(command, input=stdin, capture_output=True, check=True, env=environment()).stdout


# --- whole runs ------------------------------------------------------------------------------------------------------


@pytest.fixture
def evidence(tmp_path: Path) -> Path:
    """A log with secrets and names, and the words that say what is wrong."""
    log = tmp_path / "api.log"
    log.write_text(
        f"2026-11-20T10:00:00Z ERROR payments-api cannot reach db.corp.net (10.9.8.7): password={WORD} rejected\n"
        f"2026-11-20T10:00:01Z ERROR payments-api OOMKilled exit code 137 {ENCODED}\n"
        "2026-11-20T10:00:02Z ERROR payments-api connection pool exhausted, forged ‹host-1›\n" * 3
    )
    return log


def triage(aiops: Aiops, evidence: Path, *arguments: str) -> Result:
    return aiops("triage", "payments-api is slow", "-e", str(evidence), "--plan-only", *arguments)


def test_a_run_sends_no_secret_and_no_name_and_shows_the_names(
    aiops: Aiops, evidence: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", uuid.uuid4().hex)
    monkeypatch.setenv("AIOPS_FALLBACK_MODEL", "none")
    said = model_answer() | {"summary": "payments-api cannot reach ‹host-1› at ‹ip-1›"}
    told = {"sentences": [{"text": "‹host-1› could not be reached", "cites": ["E1", "open-1"]}]}
    with GeminiServer(answer(json.dumps(said)), answer(json.dumps(told))) as server:
        monkeypatch.setenv("AIOPS_MODEL_URL", server.url)
        result = triage(aiops, evidence, "-o", "json")
        received, report = server.received
    assert "reporter of an incident copilot" in report.text and "payments-api cannot reach ‹host-1›" in report.text
    assert not any(text in report.text for text in (WORD, "db.corp.net", "10.9.8.7"))
    assert WORD not in received.text and "db.corp.net" not in received.text and "10.9.8.7" not in received.text
    assert "OOMKilled exit code 137" in received.text and "‹host-1›" in received.text
    assert "forged ＜host-1＞" in received.text
    document = json.loads(result.out)
    assert document["diagnosis"]["degraded"] is None
    assert document["diagnosis"]["summary"].endswith("payments-api cannot reach db.corp.net at 10.9.8.7")
    assert [each["text"] for each in document["story"]["sentences"]] == ["db.corp.net could not be reached"]


def test_a_secret_of_the_environment_stops_the_request_and_the_offline_answer_follows(
    aiops: Aiops, evidence: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", uuid.uuid4().hex)
    odd = "Blue-horse." + WORD[:4]
    monkeypatch.setenv("SHOP_PASSWORD", odd)
    with GeminiServer(answer(json.dumps(model_answer()))) as server:
        monkeypatch.setenv("AIOPS_MODEL_URL", server.url)
        for text in (odd, base64.b64encode(odd.encode()).decode(), odd.encode().hex()):
            evidence.write_text(f"2026-11-20T10:00:00Z ERROR payments-api told {text}\n")
            result = triage(aiops, evidence)
            assert "OFFLINE ANSWER" in result.out and "SHOP_PASSWORD" in re.sub(r"\s+", " ", result.out)
        assert server.received == []


def test_show_egress_shows_what_would_leave_and_sends_nothing(
    aiops: Aiops, evidence: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = uuid.uuid4().hex
    monkeypatch.setenv("GEMINI_API_KEY", key)
    with GeminiServer(answer(json.dumps(model_answer()))) as server:
        monkeypatch.setenv("AIOPS_MODEL_URL", server.url)
        shown = triage(aiops, evidence, "--no-record", "--show-egress", "-o", "json")
        assert server.received == []
        triage(aiops, evidence, "--no-record")
        received = server.received[0]
    assert key not in shown.err + shown.out and "x-goog-api-key: ‹key›" in shown.err
    assert f"POST {server.url}{received.path}" in shown.err
    body = shown.err[shown.err.index("{\n") : shown.err.rindex("}") + 1]
    assert json.loads(body) == received.body
    degraded = json.loads(shown.out)["diagnosis"]["degraded"]
    assert "--show-egress" in degraded


def test_show_egress_needs_no_key(aiops: Aiops) -> None:
    result = aiops("replay", "payments-evening", "--plan-only", "--show-egress")
    assert result.code == 3
    assert "POST https://generativelanguage.googleapis.com/" in result.err and '"contents"' in result.err
    assert "OFFLINE ANSWER" in result.out


def test_show_egress_with_the_embedded_reasoner_says_that_nothing_leaves(aiops: Aiops) -> None:
    result = aiops("replay", "payments-evening", "--plan-only", "--show-egress", "--reasoner", "offline")
    assert "nothing would leave" in result.err and "POST" not in result.err


def test_show_egress_shows_texts_for_vectors_and_sends_none(aiops: Aiops, monkeypatch: pytest.MonkeyPatch) -> None:
    with EmbeddingServer(embed()) as server:
        monkeypatch.setenv("AIOPS_EMBEDDINGS", "openai:m")
        monkeypatch.setenv("AIOPS_EMBEDDINGS_URL", server.openai_url)
        aiops("replay", "payments-evening", "--approve-simulated", "--reasoner", "offline")
        aiops("history", "embed")
        before = len(server.received)
        result = aiops("replay", "payments-evening", "--plan-only", "--show-egress", "--reasoner", "offline")
        assert len(server.received) == before > 0
    assert "/embeddings" in result.err and '"input"' in result.err


def test_spans_and_history_keep_no_secret(aiops: Aiops, evidence: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    aiops_home = Path(os.environ["AIOPS_HOME"])
    shown = triage(aiops, evidence, "-o", "json", "--reasoner", "offline")
    assert WORD not in shown.out
    kept = b"".join(path.read_bytes() for path in aiops_home.rglob("*") if path.is_file())
    assert b"db.corp.net" in kept and WORD.encode() not in kept
    assert ENCODED[:20].encode() not in kept
