"""Changes of every source: what becomes of them, what is asked for, and what is said where there is no answer."""

import os
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from aiops_cli.adapters.backends.changes.argocd import ArgoSource
from aiops_cli.adapters.backends.changes.feed import FeedSource
from aiops_cli.adapters.backends.changes.git import Checkout, GitSource
from aiops_cli.adapters.backends.changes.github import GithubSource, Repository
from aiops_cli.adapters.backends.web import Server, WebClient
from aiops_cli.domain.evidence import Change, CoverageStatus, Evidence
from aiops_cli.errors import BackendError
from aiops_cli.ports import Gathered, Source
from tests.asking import BAD_SERVERS, NOW, answering, client, scope
from tests.fault_server import FaultServer, Received
from tests.program_fakes import put_on_path
from tests.secret_samples import Maker


def ago(minutes: float) -> str:
    return (NOW - timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


def change_of(item: Evidence) -> Change:
    assert isinstance(item.payload, Change) and item.source == "changes"
    return item.payload


def only_row(gathered: Gathered) -> tuple[CoverageStatus, str]:
    (row,) = gathered.coverage
    return row.status, row.detail


# --- servers ---------------------------------------------------------------------------------------------------------


def argo(web: WebClient) -> Source:
    return ArgoSource(web)


def github(web: WebClient) -> Source:
    return GithubSource(web, [Repository("", "example/payments")])


def feed(web: WebClient) -> Source:
    return FeedSource(web)


SERVERS: dict[str, Callable[[WebClient], Source]] = {"argocd": argo, "github": github, "changes": feed}
servers = pytest.mark.parametrize("name", SERVERS)


@servers
@pytest.mark.parametrize("kind", BAD_SERVERS)
def test_a_server_that_is_no_use_is_a_failure_in_words(name: str, kind: str) -> None:
    answer, said = BAD_SERVERS[kind]
    with FaultServer(answer) as server:
        try:
            status, told = only_row(
                SERVERS[name](client(server, name)).gather(scope("payments"), 0.5 if kind == "slow" else 10)
            )
        except BackendError as error:
            status, told = CoverageStatus.FAILED, error.message
    assert status is CoverageStatus.FAILED, kind
    assert said in told and (name in told or "feed" in told)


@servers
def test_nobody_who_listens_is_a_failure_in_words(name: str) -> None:
    web = WebClient(Server(name=name, url="http://127.0.0.1:1"))
    try:
        told = only_row(SERVERS[name](web).gather(scope("payments"), 5))[1]
    except BackendError as error:
        told = error.message
    assert "cannot be reached" in told


def sync(number: int, minutes: float, revision: str, **more: Any) -> dict[str, Any]:
    source = {"repoURL": "https://git.example.com/shop/deploy", "path": "payments"}
    return {"id": number, "deployedAt": ago(minutes), "revision": revision, "source": source, **more}


def test_syncs_of_argo_are_changes_with_what_was_before() -> None:
    old, new = "a" * 40, "b" * 40
    history = [sync(7, 60 * 30, old), sync(8, 12, new, initiatedBy={"username": "ines"}),
               sync(9, 5, new, initiatedBy={"automated": True})]  # fmt: skip
    states = {"payments": {"history": history}, "quiet": {}, "odd": 5}
    answer = {"items": [{"metadata": {"name": name}, "status": status} for name, status in states.items()]}
    with FaultServer(answering(lambda _: answer)) as server:
        gathered = ArgoSource(client(server, "argocd")).gather(scope("payments"), 5)

    last, first = gathered.items
    assert (first.entity, first.at) == ("payments", NOW - timedelta(minutes=12))
    assert change_of(first) == Change(
        "deploy",
        "payments synced to bbbbbbbbbbbb of https://git.example.com/shop/deploy payments, by ines",
        old[:12],
        new[:12],
    )
    assert change_of(last).kind == "config" and "Argo CD itself" in last.text
    status, told = only_row(gathered)
    assert status is CoverageStatus.CHECKED and "1 not read" in told


def test_an_argo_without_applications_is_empty() -> None:
    with FaultServer(answering(lambda _: {"metadata": {}, "items": None})) as server:
        gathered = ArgoSource(client(server, "argocd")).gather(scope("payments"), 5)

    assert only_row(gathered)[0] is CoverageStatus.EMPTY


def fake_github(asked: Received) -> Any:
    """GitHub with one repository and three deployments, of which the middle one failed."""
    deployments = [
        {"id": number, "sha": sha * 40, "ref": "main", "environment": "production", "created_at": ago(minutes),
         "creator": {"login": "ines"}}
        for number, sha, minutes in ((3, "c", 11), (2, "b", 40), (1, "a", 90))
    ]  # fmt: skip
    path = urlsplit(asked.path).path
    states = {"/1/": ("inactive", 80), "/2/": ("failure", 38), "/3/": ("success", 10)}
    if path == "/repos/example/payments/deployments":
        return deployments
    state, minutes = next(found for part, found in states.items() if part in path)
    return [{"state": state, "created_at": ago(minutes)}]


def test_deployments_of_github_are_changes_against_the_last_that_ran() -> None:
    with FaultServer(answering(fake_github)) as server:
        secret = Maker(3).hex(40)
        source = GithubSource(client(server, "github", token=secret), [Repository("pay", "example/payments")])
        gathered = source.gather(scope("pay"), 5)

    newest, broken, oldest = gathered.items
    assert (newest.entity, newest.at) == ("pay", NOW - timedelta(minutes=10))
    assert change_of(newest) == Change(
        "deploy", "deployment of cccccccccccc (main) to production: success, by ines", "a" * 12, "c" * 12
    )
    assert "failure" in broken.text and change_of(broken).before == "a" * 12
    assert oldest.at == NOW - timedelta(minutes=90), "it became inactive when another took its place"
    assert server.received[0].headers["authorization"] == f"Bearer {secret}"
    assert secret not in str(gathered)


def row(**changed: Any) -> dict[str, Any]:
    fields = {"at": ago(8), "service": "payments", "kind": "flag", "summary": "new-checkout on", "before": "off",
              "after": "on", "by": "ines", "subject": "new-checkout"}  # fmt: skip
    return {key: value for key, value in {**fields, **changed}.items() if value is not ...}


def test_rows_of_a_feed_are_changes() -> None:
    with FaultServer(answering(lambda _: [row(), row(at=ago(60 * 24 * 9))])) as server:
        gathered = FeedSource(client(server, "changes")).gather(scope("payments"), 5)

    (item,) = gathered.items
    assert change_of(item) == Change("flag", "new-checkout on, by ines", "off", "on", "new-checkout")
    assert item.text == "flag: new-checkout on, by ines"


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (row(at="2026-03-04 11:00"), "has no zone"),
        (row(at="soon"), "soon"),
        (row(at=...), "None"),
        (row(service=""), "has no service"),
        (row(service=["a"]), "has no service"),
        (row(kind="surprise"), "kind 'surprise' is none of"),
        (row(summary=...), "has no summary"),
        (row(before=5), "before is no text"),
        ("a text", "is no object"),
        (None, "is no object"),
    ],
)
def test_a_row_that_cannot_be_read_is_counted_and_told(bad: Any, said: str) -> None:
    with FaultServer(answering(lambda _: [row(), bad])) as server:
        gathered = FeedSource(client(server, "changes")).gather(scope("payments"), 5)
    with FaultServer(answering(lambda _: [bad])) as server, pytest.raises(BackendError, match="no row of the feed"):
        FeedSource(client(server, "changes")).gather(scope("payments"), 5)

    assert len(gathered.items) == 1
    assert "1 not read: row 2" in gathered.coverage[0].detail and said in gathered.coverage[0].detail
    assert gathered.coverage[0].cannot


def test_texts_of_a_feed_are_harmless_and_bounded() -> None:
    secret = Maker(5).hex(40)
    hostile = row(summary=f"\x1b[2Jpassword={secret} " + "x" * 9_000, service="pay\u202ements", by="a\nb",
                  before=f"password={secret}")  # fmt: skip
    with FaultServer(answering(lambda _: [hostile, *[row()] * 6_000])) as server:
        gathered = FeedSource(client(server, "changes")).gather(scope("payments"), 10)

    told = str(gathered)
    assert "\x1b" not in told and "\u202e" not in told and secret not in told
    assert len(gathered.items) == 200 and max(len(item.text) for item in gathered.items) < 600
    assert "older ones are left out" in gathered.coverage[0].detail


def test_an_empty_feed_is_empty() -> None:
    with FaultServer(answering(lambda _: [])) as server:
        assert only_row(FeedSource(client(server, "changes")).gather(scope("x"), 5))[0] is CoverageStatus.EMPTY


# --- git, the real one -----------------------------------------------------------------------------------------------


def git(path: Path, *arguments: str, minutes: float = 10, stdin: str | None = None) -> str:
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1",
                   "GIT_AUTHOR_DATE": ago(minutes), "GIT_COMMITTER_DATE": ago(minutes), "GIT_AUTHOR_NAME": "Ines",
                   "GIT_AUTHOR_EMAIL": "ines@example.com", "GIT_COMMITTER_NAME": "Ines",
                   "GIT_COMMITTER_EMAIL": "ines@example.com"}  # fmt: skip
    done = subprocess.run(["git", "-C", str(path), *arguments], env=environment, input=stdin, capture_output=True,
                          text=True, timeout=30, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def commit(path: Path, name: str, subject: str, minutes: float) -> str:
    (path / name).write_text(subject)
    git(path, "add", name)
    git(path, "commit", "-qm", subject, minutes=minutes)
    return git(path, "rev-parse", "HEAD")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with three commits, one of them of the day before yesterday."""
    path = tmp_path / "payments"
    path.mkdir()
    git(path, "init", "-q", "-b", "main")
    commit(path, "app.py", "Begin", 60 * 48)
    commit(path, "app.py", "Keep the pool open", 40)
    commit(path, "limits.yaml", "Halve the pool", 12)
    return path


def test_commits_are_changes_with_their_parents(checkout: Path) -> None:
    gathered = GitSource([Checkout("pay", str(checkout))]).gather(scope("pay"), 10)

    config, deploy = gathered.items
    head, parent = (git(checkout, "rev-parse", name)[:12] for name in ("HEAD", "HEAD~1"))
    assert change_of(config) == Change("config", f"commit {head}: Halve the pool, by Ines", parent, head)
    assert (config.entity, config.at) == ("pay", NOW - timedelta(minutes=12))
    assert change_of(deploy).kind == "deploy" and "Keep the pool open" in deploy.text
    assert gathered.coverage[0].status is CoverageStatus.CHECKED


def test_a_checkout_without_a_name_is_called_by_its_folder_and_merges_by_what_they_brought(checkout: Path) -> None:
    git(checkout, "checkout", "-q", "-b", "fix", "HEAD~1")
    commit(checkout, "rates.toml", "Rates of the branch", 9)
    git(checkout, "checkout", "-q", "main")
    git(checkout, "merge", "-q", "--no-ff", "-m", "Merge the rates", "fix", minutes=6)

    gathered = GitSource([Checkout("", str(checkout))]).gather(scope("payments"), 10)

    assert [change_of(item).kind for item in gathered.items] == ["config", "config", "deploy"]
    assert "Merge the rates" in gathered.items[0].text and gathered.items[0].entity == "payments"


def test_one_checkout_that_cannot_be_read_does_not_hide_the_others(checkout: Path, tmp_path: Path) -> None:
    places = [Checkout("a", str(tmp_path / "none")), Checkout("b", str(tmp_path)), Checkout("pay", str(checkout))]
    gathered = GitSource(places).gather(scope("pay"), 10)

    assert [row.status for row in gathered.coverage] == [
        CoverageStatus.FAILED, CoverageStatus.FAILED, CoverageStatus.CHECKED,
    ]  # fmt: skip
    assert "No such file" in gathered.coverage[0].detail and "not a git repository" in gathered.coverage[1].detail


def test_a_checkout_of_somebody_else_is_told_with_what_to_do(checkout: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    for path in (checkout, *checkout.rglob("*")):
        os.lchown(path, 12345, 12345)

    (told,) = GitSource([Checkout("pay", str(checkout))]).gather(scope("pay"), 10).coverage

    assert told.status is CoverageStatus.FAILED
    assert "dubious ownership" in told.detail and f"safe.directory {checkout}" in told.detail


def test_nothing_that_a_checkout_names_is_run(checkout: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    evil = tmp_path / "evil"
    evil.write_text(f'#!/bin/sh\necho "$0 $@" >> {ran}\n')
    evil.chmod(0o755)
    for name in ("core.pager", "pager.log", "core.fsmonitor", "core.sshCommand", "core.editor", "diff.external",
                 "gpg.program", "gpg.ssh.program", "diff.evil.textconv", "diff.evil.command", "credential.helper",
                 "alias.log"):  # fmt: skip
        git(checkout, "config", name, f"!{evil}" if name.startswith("alias") else str(evil))
    git(checkout, "config", "log.showSignature", "true")
    git(checkout, "config", "format.pretty", "%G?")
    (checkout / ".git" / "info" / "attributes").write_text("* diff=evil\n")
    for hook in ("post-index-change", "reference-transaction", "post-checkout"):
        (checkout / ".git" / "hooks" / hook).write_text(evil.read_text())
        (checkout / ".git" / "hooks" / hook).chmod(0o755)
    # A signed commit is what makes git ask the program that checks signatures.
    raw = git(checkout, "cat-file", "commit", "HEAD")
    head, _, body = raw.partition("\n\n")
    kind = "PGP SIGNATURE"
    signed = f"{head}\ngpgsig -----BEGIN {kind}-----\n \n aaaa\n -----END {kind}-----\n\n{body}\n"
    number = git(checkout, "hash-object", "-t", "commit", "-w", "--stdin", stdin=signed)
    (checkout / ".git" / "refs" / "heads" / "main").write_text(number + "\n")
    ran.unlink(missing_ok=True)

    gathered = GitSource([Checkout("pay", str(checkout))]).gather(scope("pay"), 10)

    assert len(gathered.items) == 2
    assert not ran.exists(), ran.read_text()
    assert "aaaa" not in str(gathered)
    plain = subprocess.run(["git", "-C", str(checkout), "log", "-1"], capture_output=True, timeout=30, check=False)
    assert plain.returncode == 0 and ran.exists(), "without care it would have been run"


def test_hostile_subjects_are_harmless(checkout: Path) -> None:
    commit(checkout, "app.py", "\x1b[2J\x1f\x1e fix " + "y" * 5_000, 5)

    gathered = GitSource([Checkout("pay", str(checkout))]).gather(scope("pay"), 10)

    assert "\x1b" not in str(gathered.items) and max(len(item.text) for item in gathered.items) < 600


@pytest.mark.parametrize(("script", "said"), [("sleep 30", "did not end within"), ("exit 3", "ended with 3")])
def test_a_git_that_hangs_or_fails_is_told(
    script: str, said: str, checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_on_path(tmp_path, monkeypatch, "git", script)

    status, told = only_row(GitSource([Checkout("pay", str(checkout))]).gather(scope("pay"), 0.5))

    assert status is CoverageStatus.FAILED and said in told
