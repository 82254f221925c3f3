"""Invented incidents for measuring growth: seeded, no two alike, about 850 characters each, over five years.

Words follow Zipf's law over common words of the trade and a long tail of names that a company makes up; services and
alert names do too. Records come in the order of time, as an export has them.
"""

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any

from aiops_cli.domain.alert import Severity
from aiops_cli.domain.record import Record

SEED = 42
START = datetime(2021, 1, 4, tzinfo=UTC)
YEARS = timedelta(days=5 * 365)
_TAIL = 120_000
_EXPONENT = 1.05
_SERVICES = 240
_ALERTS = 300

_COMMON = """
the of to in and was is for on at by from with after it that error service request requests timeout latency database
connection failed pod node memory deploy release traffic queue cache restart slow cluster replicas disk users region
query errors log config retries load client response cpu alert rollback network version api increased certificate
consumer container upstream limit checkout primary replica index threads pool expired crash spike worker job payment
login orders search backlog gateway token provider volume storage scheduler lock partition broker topic offset lag dns
resolver proxy ingress egress firewall route packet loss kernel kubelet image registry pull tag namespace quota probe
liveness readiness heap garbage collector leak oom killed exit code stack trace exception null pointer schema
migration column table row deadlock transaction rollout canary flag feature toggle secret password rotation permission
denied role policy bucket object upload download batch cron nightly export import report dashboard customer partner
vendor outage degraded unavailable refused reset unreachable throttled saturated exhausted overloaded stuck hanging
blocked pending evicted drained cordoned rebooted missing stale drifted wrong duplicate corrupt invalid truncated late
early slower faster higher lower doubled halved dropped rose climbed fell flapped recovered mitigated resolved
escalated paged silenced scaled restarted reverted patched upgraded disabled enabled warmed flushed rebuilt replayed
renewed rotated raised lowered moved removed added changed noticed confirmed because while before during until again
only every each both some most many few several first second third new old same other another whole half single
morning evening night weekend monday friday minutes hours seconds percent times team owner engineer oncall responder
commander channel ticket runbook graph metric threshold window budget model prompt tokens inference gpu embedding
accuracy drift training store pipeline vector completion session cookie browser mobile app page cart basket invoice
refund shipment stock price catalogue inventory warehouse
"""

_LEFT = """
payments orders search catalog cart login billing ledger invoice fraud stock price profile mail media checkout ranking
feed chat session quote booking route fleet tariff meter claims rating audit export
"""
_RIGHT = "api worker gateway db cache consumer scheduler indexer"
_WHAT = "Latency ErrorRate Memory Cpu Disk Queue Connections Restarts Certificate Replication Saturation Cost"
_HOW = "High Critical Growing Exhausted Spike Low NearLimit Degraded Burn Missing Flapping Stuck"
_AREA = ["", "Api", "Db", "Node", "Pod", "Cache", "Edge"]

_SYMPTOMS = (
    "p95 latency of {service} is {n} ms",
    "{service} returns {code} for {pct} % of requests",
    "{service} is slow since {hour}",
    "{service} cannot reach {other}",
    "replicas of {service} restart again and again",
    "backlog of {service} grows",
    "{service} is down in {region}",
    "memory of {service} climbs to {pct} %",
)
_ERRORS = (
    "dial tcp 10.{a}.{b}.{c}:5432: connect: connection refused",
    "upstream request timeout after {n} ms calling {other}",
    "FATAL: remaining connection slots are reserved, host ip-10-{a}-{b}-{c}",
    "OOMKilled: container {service} exceeded {n}Mi, pod {service}-{hex}",
    'java.lang.IllegalStateException: order {n} of shard {a} is in state "{word}"',
    "x509: certificate has expired or is not yet valid, serial {hex}",
    "Error 1205: lock wait timeout exceeded; try restarting transaction {n}",
    "no space left on device: /var/lib/{word}/segment-{n}",
    "429 Too Many Requests from {other}, retry after {a} s, trace {hex}",
    "lookup {other}.prod.svc.cluster.local: no such host",
)
_FIXES = (
    "Rolled {service} back to {a}.{b}.{c}",
    "Scaled {service} from {a} to {b} replicas",
    "Restarted {service} one replica after another",
    "Reverted the configuration of {word}",
    "Turned the flag {word} off",
    "Raised the pool of {service} to {n}",
    "Renewed the certificate of {service}",
    "Drained node ip-10-{a}-{b}-{c}",
)
_REGIONS = ("eu-west-1", "us-east-1", "ap-south-1", "eu-central-1")
_SEVERITIES = (Severity.CRITICAL, Severity.WARNING, Severity.INFO)


def _zipf(count: int, exponent: float = _EXPONENT) -> list[float]:
    return list(accumulate(1 / (rank + 2.7) ** exponent for rank in range(count)))


def _made_up(number: int) -> str:
    """A word that can be spoken, another one for each number."""
    text, rest = "", number + 400
    while rest:
        rest, at = divmod(rest, 85)
        text += "bcdfghklmnprstvwz"[at % 17] + "aeiou"[at // 17]
    return text + "rnstl"[number % 5]


class History:
    """Invented incidents: the same for the same number, whatever was asked for before."""

    def __init__(self, seed: int = SEED) -> None:
        self._seed = seed
        self.words = [*_COMMON.split(), *(_made_up(number) for number in range(_TAIL))]
        self._words_weights = _zipf(len(self.words))
        rng = random.Random(seed)
        self.services = rng.sample([f"{left}-{right}" for left in _LEFT.split() for right in _RIGHT.split()], _SERVICES)
        names = [f"{area}{what}{how}" for area in _AREA for what in _WHAT.split() for how in _HOW.split()]
        self.alerts = rng.sample(names, _ALERTS)
        self._services_weights, self._alerts_weights = _zipf(_SERVICES), _zipf(_ALERTS)

    def some_words(self, rng: random.Random, count: int) -> list[str]:
        """Words as often as the language has them."""
        return rng.choices(self.words, cum_weights=self._words_weights, k=count)

    def service(self, rng: random.Random) -> str:
        """A service: a few have most of the incidents."""
        return rng.choices(self.services, cum_weights=self._services_weights)[0]

    def record(self, number: int, total: int) -> Record:
        """Incident `number` of `total`."""
        rng = random.Random(f"{self._seed} {number}")
        service, alert = self.service(rng), rng.choices(self.alerts, cum_weights=self._alerts_weights)[0]
        slots = self._slots(rng, service)
        began = START + YEARS * (number / total) + timedelta(seconds=rng.randrange(3_000))
        severity = rng.choices(_SEVERITIES, (2, 5, 1))[0]
        error, fix = (rng.choice(some).format_map(slots) for some in (_ERRORS, _FIXES))
        return Record(
            title=f"{rng.choice(_SYMPTOMS).format_map(slots)}, {' '.join(self.some_words(rng, 3))}",
            origin=f"invented:{self._seed}:{number}",
            alert=alert,
            service=service,
            severity=severity,
            resolved=rng.random() < 0.9,
            environment="prod",
            summary=self._sentence(rng, 20),
            cause=f"{error}. {self._sentence(rng, 40)}",
            fix=f"{fix}. {self._sentence(rng, 18)}",
            fix_worked=rng.choice((True, True, None, False)),
            lesson=self._sentence(rng, 33),
            detected_at=began,
            acknowledged_at=began + timedelta(minutes=rng.randrange(1, 20)),
            resolved_at=began + timedelta(minutes=rng.randrange(20, 300)),
            labels={"region": slots["region"], "team": f"team-{slots['a'] % 12}"},
        )

    def _slots(self, rng: random.Random, service: str) -> dict[str, Any]:
        return {
            "service": service,
            "other": self.service(rng),
            "region": rng.choice(_REGIONS),
            "code": rng.choice((500, 502, 503, 504)),
            "hour": f"{rng.randrange(24):02}:{rng.randrange(60):02}",
            "word": self.some_words(rng, 1)[0],
            "hex": f"{rng.randrange(16**9):09x}",
            "n": rng.randrange(100, 30_000),
            "pct": rng.randrange(2, 99),
            **{name: rng.randrange(1, 250) for name in "abc"},
        }

    def _sentence(self, rng: random.Random, length: int) -> str:
        return " ".join(self.some_words(rng, rng.randrange(length // 2, length + length // 2))).capitalize() + "."

    def records(self, first: int, last: int, total: int) -> Iterator[Record]:
        """Incidents from `first` up to before `last`."""
        return (self.record(number, total) for number in range(first, last))


def text_of(record: Record) -> str:
    """The prose of an incident, without its title."""
    return "\n".join(part for part in (record.summary, record.cause, record.fix, record.lesson) if part)


def size_of(records: Sequence[Record]) -> float:
    """Characters an incident, in the mean."""
    return sum(len(record.title) + len(text_of(record)) for record in records) / len(records)
