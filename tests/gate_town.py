"""A small town around the real gate: a store in a file, a simulated world, people, policies, a clock, and a watcher.

What people said, allowed and took back is remembered here as well, apart from the store: the watcher in front of the
world compares each call that arrives with that, and with what the store has on the disk at that moment.
"""

import hashlib
import hmac
import json
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiops_cli.adapters.backends.simulator.actuator import SimulatedActuator
from aiops_cli.adapters.backends.simulator.journal import Effect, Journal
from aiops_cli.adapters.backends.simulator.restore import moment_of
from aiops_cli.adapters.backends.simulator.world import World
from aiops_cli.adapters.policy_files import load_one
from aiops_cli.adapters.store.audit import AuditLog
from aiops_cli.adapters.store.engine import Database, open_file
from aiops_cli.adapters.store.mirror import Mirror, mirror_path
from aiops_cli.adapters.store.permissions import Permissions
from aiops_cli.adapters.store.requests import RequestBook
from aiops_cli.bootstrap.store import open_store
from aiops_cli.domain import chain
from aiops_cli.domain.action import EffectiveCall, Proposal
from aiops_cli.domain.approval import Answer, Decision, Method, approval_bytes
from aiops_cli.domain.asking import Asked
from aiops_cli.domain.gate import LookedBack, Permit
from aiops_cli.domain.incident import Attempt, Incident
from aiops_cli.domain.policy import PolicySet
from aiops_cli.domain.request import WAYS, Request, RequestState
from aiops_cli.errors import ActionRefused, BackendError
from aiops_cli.events import EventBus
from aiops_cli.gatekeeping import Gatekeeper, Terms
from aiops_cli.resumption import CutOff, take_up
from tests.scenes import Stage, stage

BEGIN = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)
FREEZE = (BEGIN + timedelta(hours=9), BEGIN + timedelta(hours=10))
TRUST_HOURS = (2, 6)
ASKING = "ines"
SIGNERS = ("ines", "boris", "clara", "dora")
# In memory where the system has such a place: thousands of syncs would only wear a disk out.
ROOM = Path("/dev/shm") if Path("/dev/shm").is_dir() else None


class Killed(BaseException):
    """The process is gone at this point: nothing that it would still do happens."""


# --- policies --------------------------------------------------------------------------------------------------------

_RULES = """\
version: 1
timezone: UTC
# {name}
rules:
  - id: payments-two-people
    why: money
    match: {{team: payments}}
    require: {{approvals: {payments}}}
  - id: between
    why: one replica is none, and forty are too many
    match: {{action: scale_service}}
    limits: {{min_replicas: 2, max_replicas: 40}}
  - id: limits-earn-trust
    why: a limit is lifted in a second
    match: {{action: limit_requests, environment: production, service: "*", team: "*"}}
    when: {{hours: "02:00-06:00"}}
    trust: {{after: 3, per_day: 3}}
  - id: others
    why: as this policy has it
    match: {{team: storefront}}
    {storefront}
freezes:
  - id: the-freeze
    why: nobody is there
    from: {start}
    to: {end}
    match: {{environment: production}}
    allow: [lift_limit]
tests:
  - name: one replica is none
    given: {{action: scale_service, team: risk, environment: production, tags: web, arguments: {{replicas: 1}}}}
    expect: deny
    rule: between
"""


@dataclass(frozen=True)
class Rules:
    """A policy as it is meant, apart from the code that reads it; `storefront` 0 is denied, `holds` False is broken."""

    payments: int = 2
    storefront: int = 1
    holds: bool = True

    def needed(self, call: EffectiveCall, at: datetime) -> int | None:
        """How many people have to say yes; None where nothing helps."""
        frozen = FREEZE[0] <= at <= FREEZE[1] and call.action != "lift_limit"
        beyond = call.action == "scale_service" and not 2 <= call.arguments["replicas"] <= 40
        if frozen or beyond or not self.holds:
            return None
        needed = {"payments": self.payments, "storefront": self.storefront}.get(call.team or "", 1)
        # Of whom nobody knows the team every rule for a team holds.
        needed = max(self.payments, self.storefront) if call.team is None else needed
        return needed or None

    def lends(self, call: EffectiveCall, at: datetime) -> bool:
        """Whether trust may stand for a yes."""
        return call.action == "limit_requests" and TRUST_HOURS[0] <= at.hour < TRUST_HOURS[1]


POLICIES = {
    "usual": Rules(),
    "reworded": Rules(),
    "stricter": Rules(payments=3, storefront=2),
    "closed": Rules(storefront=0),
    "broken": Rules(holds=False),
}


def read_policies(folder: Path) -> dict[str, PolicySet]:
    """The policies, each read from its file by the real reader."""
    found = {}
    for name, rules in POLICIES.items():
        says = f"require: {{approvals: {rules.storefront}}}" if rules.storefront else "effect: deny"
        start, end = (each.isoformat() for each in FREEZE)
        text = _RULES.format(name=name, payments=rules.payments, storefront=says, start=start, end=end)
        path = folder / f"{name}.yaml"
        path.write_text(text if rules.holds else text + "rules: []\n")
        path.chmod(0o600)
        found[name] = load_one(path)
        assert bool(found[name].problems) is not rules.holds, found[name].problems
    return found


# --- what was really said --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Said:
    """An answer that somebody gave, as it was."""

    digest: str
    by: str
    signed: bool
    yes: bool
    at: datetime
    expires_at: datetime | None = None


@dataclass
class Allowed:
    """A grant or a promotion that somebody gave."""

    number: int
    call: tuple[str, str, str]
    uses: int
    until: datetime | None
    policy: str = ""
    over_since: datetime | None = None
    used: list[datetime] = field(default_factory=list)


def words(call: EffectiveCall | Proposal) -> tuple[str, str, str]:
    """What a grant is for."""
    return call.action, call.target, json.dumps(dict(call.arguments), sort_keys=True)


def sign(person: str, digest: str, answer: Answer) -> str:
    """A person's signature, of a kind that is quick to check."""
    key = hashlib.sha256(person.encode()).digest()
    return f"{person}:{hmac.new(key, approval_bytes(digest, answer), 'sha256').hexdigest()}"


def prove(decision: Decision) -> str | None:
    """Who signed; a name in a row is no proof."""
    person = (decision.signature or "").partition(":")[0]
    good = person in SIGNERS and decision.signature == sign(person, decision.digest, decision.answer)
    return person if good else None


# --- a process that can be killed ------------------------------------------------------------------------------------


# Where a process can be killed, beside in between two system calls: that is for strace.
POINTS = (
    "before prepare", "before lately", "before find_pending", "before file", "after file", "before head",
    "before find_standing", "after find_standing", "before decide", "after decide", "before hold", "before claim",
    "in the transaction of the claim", "after claim", "before the effect", "after the effect", "before settle",
    "after settle", *(f"after the commit, before the copy of {what}" for what in ("file", "decide", "claim", "settle")),
)  # fmt: skip


class Life:
    """How long a process lives: up to a point of this name, or for ever. `points` counts where processes died."""

    def __init__(self, points: Counter[str], until: str | None = None) -> None:
        self.until = until
        self.dead = False
        self.doing = ""
        self._points = points

    def point(self, name: str) -> None:
        """Die here if it is the place; who is dead does nothing any more."""
        if not self.dead and name == self.until:
            self.dead = True
            self._points[name] += 1
        if self.dead:
            raise Killed(name)


class MortalBook:
    """The real request book in the hands of a process that can be killed before, in and after every operation."""

    def __init__(self, inner: RequestBook, life: Life, town: "Town") -> None:
        self.inner, self.life, self.town = inner, life, town

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.inner, name)

        def call(*arguments: Any, **named: Any) -> Any:
            self.life.point(f"before {name}")
            self.life.doing = name
            result = method(*arguments, **named)
            self.life.point(f"after {name}")
            return result

        return call

    def claim(self, request: Request, weigh: Any, *rest: Any) -> Any:
        self.life.point("before claim")
        self.life.doing = "claim"
        self.town.happen("before_claim")

        def weighed(*arguments: Any) -> Any:
            ruling = weigh(*arguments)
            self.town.happen("within_claim")
            self.life.point("in the transaction of the claim")
            return ruling

        ruling = self.inner.claim(request, weighed, *rest)
        self.life.point("after claim")
        return ruling

    @contextmanager
    def hold(self, request: Request) -> Iterator[None]:
        self.life.point("before hold")
        with self.inner.hold(request):
            yield


class MortalMirror(Mirror):
    """The copy of the audit log: between a commit and it a process can be killed as well."""

    def __init__(self, path: Path, life: Life) -> None:
        super().__init__(path)
        self.life = life

    def catch_up(self, database: Database) -> int:
        self.life.point(f"after the commit, before the copy of {self.life.doing}")
        return super().catch_up(database)


class Watcher:
    """Stands in front of the simulator's actuator, and looks at every call that arrives."""

    def __init__(self, town: "Town", life: Life) -> None:
        self.town, self.life = town, life

    def prepare(self, proposal: Proposal) -> EffectiveCall:
        self.life.point("before prepare")
        return self.town.actuator.prepare(proposal)

    def read_state(self, target: str) -> Mapping[str, Any]:
        return self.town.actuator.read_state(target)

    def look_back(self, call: EffectiveCall, key: str) -> LookedBack:
        self.life.point("before look_back")
        return LookedBack(None, "it does not answer") if self.town.mute else self.town.actuator.look_back(call, key)

    def apply(self, permit: Permit) -> str:
        self.life.point("before the effect")
        self.town.inspect(permit)
        during, self.town.during = self.town.during, None
        if during is not None:
            during()
        trouble, self.town.trouble = self.town.trouble, ""
        if trouble == "refused":
            raise ActionRefused("nothing was done")
        if trouble == "lost before":
            raise BackendError("the connection broke")
        said = self.town.make(permit)
        self.life.point("after the effect")
        if trouble == "lost after":
            raise BackendError("no answer in time")
        return said


class Answerer:
    """Who is asked at a process: what they say is set before."""

    def __init__(self) -> None:
        self.says: Callable[[Asked], Decision] | None = None

    def decide(self, asked: Asked) -> Decision:
        assert self.says is not None
        return self.says(asked)


class TownClock:
    """The town's time, for the world and for people."""

    def __init__(self, town: "Town") -> None:
        self._town = town

    def now(self) -> datetime:
        return self._town.at

    wall = now

    def wait(self, seconds: float) -> None:
        self._town.at += timedelta(seconds=seconds)


@dataclass
class Process:
    """One run of the program."""

    keeper: Gatekeeper
    life: Life
    answerer: Answerer


# --- the town --------------------------------------------------------------------------------------------------------


class Template:
    """What is made once: a staged world, a store with an incident in it, and the policies."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="aiops-town-", dir=ROOM))
        self.stage: Stage = stage("payments-evening")
        self.home = self.folder / "template"
        store = open_store(self.home)
        incident = Incident(self.stage.group, True, "simulator", opened_at=BEGIN)
        store.open_incident(incident)
        store.close()
        self.incident = incident.id
        with sqlite3.connect(self.home / "incidents.db") as raw:
            # Every change of a state leaves its trace, also one that another change follows at once.
            raw.execute("CREATE TABLE seen_move (request INTEGER, before TEXT, after TEXT)")
            raw.execute(
                "CREATE TRIGGER seen AFTER UPDATE OF state ON request BEGIN"
                " INSERT INTO seen_move VALUES (new.number, old.state, new.state); END"
            )
        raw.close()
        self.policies = read_policies(self.folder)

    def close(self) -> None:
        shutil.rmtree(self.folder)


class Town:
    """One town from its beginning. `check` says what must hold at every moment, and raises AssertionError."""

    def __init__(self, template: Template, points: Counter[str]) -> None:
        self.template, self.points = template, points
        self.home = Path(tempfile.mkdtemp(prefix="home-", dir=template.folder))
        self.home.chmod(0o700)
        shutil.copy(template.home / "incidents.db", self.home)
        (self.home / "incidents.db").chmod(0o600)
        self.database = open_file(self.home)
        self.raw = sqlite3.connect(self.home / "incidents.db", isolation_level=None)
        self.world: World = template.stage.world.copy()
        head = template.stage.scene.journal
        assert head is not None
        self.journal = Journal(head.head, lambda: moment_of(self.world))
        self.actuator = SimulatedActuator(self.world, self.journal)
        self.at = self.latest = BEGIN
        self.policy = "usual"
        self.mute = False
        self.trouble = ""
        self.during: Callable[[], None] | None = None
        self.before_claim: Callable[[], None] | None = None
        self.within_claim: Callable[[], None] | None = None
        self.said: list[Said] = []
        self.grants: dict[int, Allowed] = {}
        self.promotions: dict[int, Allowed] = {}
        self.calls: Counter[int] = Counter()
        self.effects: Counter[int] = Counter()
        self.rewritten: set[int] = set()
        self.unasked: Counter[str] = Counter()
        self.left: Attempt | None = None
        self._seen_audit = (0, "")
        self._keys = 0

    def close(self) -> None:
        self.raw.close()
        self.database.close()
        shutil.rmtree(self.home)

    # -- its processes ------------------------------------------------------------------------------------------------

    def begin(
        self, *, principal: str | None = ASKING, until: str | None = None, environment: str = "production"
    ) -> Process:
        """Start the program; it is killed at the point `until`."""
        life, answerer = Life(self.points, until), Answerer()
        book = RequestBook(self.database, MortalMirror(mirror_path(self.home, self.database), life), self.home, prove)
        keeper = Gatekeeper(
            actuator=Watcher(self, life),
            approver=answerer,
            book=MortalBook(book, life, self),  # type: ignore[arg-type]
            clock=TownClock(self),
            bus=EventBus([]),
            policies=lambda: self.template.policies[self.policy],
            new_key=self._new_key,
            terms=Terms(person=ASKING, principal=principal, environment=environment),
        )
        return Process(keeper, life, answerer)

    def happen(self, when: str) -> None:
        """What was put there to happen at this point, once."""
        meanwhile: Callable[[], None] | None = getattr(self, when)
        setattr(self, when, None)
        if meanwhile is not None:
            meanwhile()

    def veto_at_once(self, request: Request) -> bool:
        """A No from elsewhere, written without waiting for anybody; whether the store took it."""
        with closing(sqlite3.connect(self.home / "incidents.db", timeout=0, isolation_level=None)) as other:
            try:
                other.execute(
                    'INSERT INTO decision (incident, attempt, request, digest, call, answer, "by", method, reason, at)'
                    " VALUES (1, 1, ?, ?, '', 'deny', 'vera', 'approvals-command', 'no', ?)",
                    (request.number, request.digest, self.at.isoformat()),
                )
            except sqlite3.OperationalError:
                return False
        self.answer(request.digest, "vera", Answer.DENY)
        return True

    def _new_key(self) -> str:
        self._keys += 1
        return hashlib.sha256(b"%d" % self._keys).hexdigest()[:32]

    def incident(self) -> Incident:
        """The incident as a process begins it."""
        group = self.template.stage.group
        return Incident(group, True, "simulator", opened_at=self.at, id=self.template.incident)

    def resume(self) -> list[Attempt]:
        """Take the incident up in a new process; nothing is left under way then. `left` is what is to be measured."""
        keeper, incident = self.begin().keeper, self.incident()
        kept = keeper.book.of_incident(incident.id, self.at)
        self.left = take_up(CutOff(incident.id, self.at, kept), incident, keeper)
        left = self.raw.execute("SELECT number FROM request WHERE state = 'executing'").fetchall()
        assert all(number in self.rewritten for (number,) in left), left
        return incident.attempts

    def permissions(self) -> Permissions:
        """Grants and promotions."""
        book = self.begin().keeper.book
        return Permissions(self.database, book.copy)  # type: ignore[attr-defined]

    # -- what people do -----------------------------------------------------------------------------------------------

    def answer(self, digest: str, by: str, answer: Answer = Answer.APPROVE, **changed: Any) -> Decision:
        """An answer that somebody really gives to what has this digest."""
        signature = changed.pop("signature", None)
        signed = changed.pop("signed", False)
        if signed:
            signature = sign(by, digest, answer)
        fields: dict[str, Any] = {
            "digest": digest, "answer": answer, "by": by, "method": Method.COMMAND if signed else Method.PROMPT,
            "reason": "as it is", "at": self.at, "principal": by if signed else None, "signature": signature,
        }  # fmt: skip
        decision = Decision(**(fields | changed))
        self.said.append(Said(digest, by, signed, answer is Answer.APPROVE, decision.at, decision.expires_at))
        return decision

    # -- the watcher's part -------------------------------------------------------------------------------------------

    def inspect(self, permit: Permit) -> None:
        """See that a call that arrives is one that may: by what the store has on the disk, and what people said."""
        number, call = permit.request.number, permit.call
        rows = self.raw.execute("SELECT number, state, digest, canonical FROM request").fetchall()
        named = [row for row in rows if permit.key in row[3]]
        assert [row[0] for row in named] == [number], "one request and no other has the key"
        _, state, digest, canonical = named[0]
        data = json.loads(canonical)
        assert state == "executing", state
        assert digest == "sha256:" + hashlib.sha256(canonical.encode()).hexdigest(), "the digest is of what is stored"
        assert data["call"] == json.loads(json.dumps(call.body)) and data["key"] == permit.key
        assert self.at < datetime.fromisoformat(data["run_by"]), "it began in time"
        assert data["policy_digest"] == self.template.policies[self.policy].digest, "the policy is the one shown"
        needed = POLICIES[self.policy].needed(call, self.at)
        assert needed is not None, "the policy allows it"
        self._inspect_people(number, digest, data, call, needed)
        self._inspect_audit(number, digest)
        self.calls[number] += 1
        assert self.calls[number] == 1, "it runs once, whatever somebody made of its state in the store"
        assert call.target in self.template.stage.scene.scenario.targets  # type: ignore[union-attr]

    def _inspect_people(self, number: int, digest: str, data: dict[str, Any], call: EffectiveCall, needed: int) -> None:
        decide_by = datetime.fromisoformat(data["decide_by"])
        about = [said for said in self.said if said.digest == digest]
        assert all(said.yes for said in about), "nobody said no"
        valid = [s for s in about if s.at <= decide_by and (s.expires_at is None or self.at < s.expires_at)]
        rows = self.raw.execute(
            'SELECT "by", method, standing FROM decision WHERE request = ? AND digest = ? AND answer = ?',
            (number, digest, "approve"),
        ).fetchall()
        recorded = {row[0] for row in rows}
        valid = [said for said in valid if said.by in recorded]
        if needed > 1:
            people = {said.by for said in valid if said.signed} - {data["principal"]}
            assert len(people) >= needed + (data["principal"] is None), f"{people} are not enough"
        elif not valid:
            assert self._stands(rows, call, number), "somebody said yes to exactly this"

    def _stands(self, rows: list[tuple[str, str, int | None]], call: EffectiveCall, number: int) -> bool:
        """Whether a grant or promotion that somebody gave holds for the call; it is used by that."""
        for _, method, standing in rows:
            kind = {"grant": self.grants, "trust": self.promotions}.get(method, {})
            allowed = kind.get(standing or 0)
            if allowed is None or allowed.over_since is not None or words(call)[:2] != allowed.call[:2]:
                continue
            if method == "trust":
                lately = [at for at in allowed.used if at > self.at - timedelta(days=1)]
                holds = allowed.policy == self.policy and len(lately) < allowed.uses
                holds = holds and POLICIES[self.policy].lends(call, self.at)
            else:
                holds = allowed.call == words(call) and len(allowed.used) < allowed.uses
                holds = holds and allowed.until is not None and self.at < allowed.until
            if holds:
                allowed.used.append(self.at)
                self.unasked[f"unasked, by {method}"] += 1
                return True
        return False

    def _inspect_audit(self, number: int, digest: str) -> None:
        """The row that says that it begins is in the log and in its copy before it begins."""
        rows = [
            row
            for row in self.raw.execute("SELECT seq, body FROM audit ORDER BY seq DESC")
            if (body := json.loads(row[1]))["request"] == f"REQ-{number:04d}" and body["stage"] == "started"
        ]
        assert len(rows) == self.calls[number] + 1, "one row for each beginning"
        assert rows and json.loads(rows[0][1])["digest"] == digest
        copied = mirror_path(self.home, self.database).read_text().splitlines()
        assert any(json.loads(line)["seq"] == rows[0][0] for line in copied[-3:]), "the copy has it too"

    def make(self, permit: Permit) -> str:
        """Let the call through to the world, and count whether it took effect."""
        before = sum(isinstance(line, Effect) for line in self.journal.lines)
        said = self.actuator.apply(permit)
        if sum(isinstance(line, Effect) for line in self.journal.lines) > before:
            self.effects[permit.request.number] += 1
        return said

    def check(self) -> None:
        """What holds at every moment."""
        moves = self.raw.execute("SELECT request, before, after FROM seen_move").fetchall()
        for number, before, after in moves:
            assert RequestState(after) in WAYS[RequestState(before)], f"REQ-{number:04d} went {before} -> {after}"
        if moves:
            self.raw.execute("DELETE FROM seen_move")
        assert all(count <= 1 for count in self.effects.values()), self.effects
        states = dict(self.raw.execute("SELECT number, state FROM request"))
        for number, count in self.effects.items():
            honest = ("executing", "done", "unknown", "reconciled_done")
            assert not count or number in self.rewritten or states[number] in honest, (number, states[number])
        for number, state in states.items():
            done = state in ("done", "reconciled_done") and number not in self.rewritten
            assert not done or self.effects[number] == 1, (number, state)
        self._check_chain()

    def _check_chain(self) -> None:
        seq, last = self._seen_audit
        for row in self.raw.execute("SELECT seq, body, previous, hash FROM audit WHERE seq > ? ORDER BY seq", (seq,)):
            seen = hashlib.sha256(b"%d\n%s\n" % (row[0], row[2].encode()) + row[1].encode()).hexdigest()
            assert row[0] == seq + 1 and row[3] == f"sha256:{seen}" and (not last or row[2] == last), row
            seq, last = row[0], row[3]
        self._seen_audit = (seq, last)

    def verify(self) -> None:
        """The whole log and its copy, by the product's own reader."""
        mirror = Mirror(mirror_path(self.home, self.database))
        mirror.catch_up(self.database)
        found = chain.verify(AuditLog(self.database).rows(), mirror=mirror.rows())
        assert found.holds, found.findings
        assert self.raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
