"""What everything that is in effect comes to: releases, configurations, flags, model versions and faults, merged."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from aiops_cli.adapters.backends.simulator.parts import Effects

# A version that serves a smaller share than this does not show in a 95th percentile.
_SHOWS_IN_P95 = 0.05


@dataclass(slots=True)
class Influence:
    """Merged effects on one replica, or the mean over those of a service; `worst_latency` is then the slowest's."""

    latency: float = 1.0
    worst_latency: float = 1.0
    capacity: float = 1.0
    success: float = 1.0
    leak_mb_per_minute: float = 0.0
    memory: float = 1.0
    disk_mb_per_minute: float = 0.0
    leaked_connections_per_minute: float = 0.0
    cache: float = 1.0
    prompt: float = 1.0
    output: float = 1.0
    quality: float = 1.0
    unpullable: bool = False
    crash: str | None = None
    retries: int | None = None
    timeout_ms: float | None = None
    probe_timeout_ms: float | None = None
    calls: dict[str, float] = field(default_factory=dict)
    messages: tuple[tuple[str, str], ...] = ()


def merge(active: Iterable[tuple[Effects, float]]) -> Influence:
    """Effects with their strength (0 to 1, below 1 while they ramp up): factors multiply, rates add up."""
    total = Influence()
    for effects, strength in active:
        if strength <= 0:
            continue
        total.latency *= _scaled(effects.latency_factor, strength)
        total.capacity *= _scaled(effects.capacity_factor, strength)
        total.success *= 1 - effects.error_ratio * strength
        total.leak_mb_per_minute += effects.leak_mb_per_minute * strength
        total.memory *= _scaled(effects.memory_factor, strength)
        total.disk_mb_per_minute += effects.disk_mb_per_minute * strength
        total.leaked_connections_per_minute += effects.leaked_connections_per_minute * strength
        total.cache *= _scaled(effects.cache_hit_factor, strength)
        total.prompt *= _scaled(effects.prompt_factor, strength)
        total.output *= _scaled(effects.output_factor, strength)
        total.quality *= 1 - effects.quality_loss * strength
        for callee, factor in effects.calls.items():
            total.calls[callee] = total.calls.get(callee, 1.0) * _scaled(factor, strength)
        _replace(total, effects)
    total.worst_latency = total.latency
    return total


def _replace(total: Influence, effects: Effects) -> None:
    """What does not add up: the last one in effect counts."""
    total.unpullable = total.unpullable or effects.unpullable
    total.crash = effects.crash or total.crash
    if effects.retries is not None:
        total.retries = effects.retries
    total.timeout_ms = effects.timeout_ms or total.timeout_ms
    total.probe_timeout_ms = effects.probe_timeout_ms or total.probe_timeout_ms
    if effects.message:
        total.messages = (*total.messages, (effects.level, effects.message))


def _scaled(factor: float, strength: float) -> float:
    return 1 + (factor - 1) * strength


def mix(shares: Sequence[tuple[float, Influence]]) -> Influence:
    """The mean over what serves at once, by its share of the requests (the shares add up to 1).

    What does not add up is that of the largest share.
    """
    if len(shares) == 1:
        return shares[0][1]
    largest = max(shares, key=lambda row: row[0])[1]
    mean = Influence(
        latency=total(w * i.latency for w, i in shares),
        worst_latency=_tail_latency(shares),
        capacity=total(w * i.capacity for w, i in shares),
        success=total(w * i.success for w, i in shares),
        disk_mb_per_minute=total(w * i.disk_mb_per_minute for w, i in shares),
        cache=total(w * i.cache for w, i in shares),
        prompt=total(w * i.prompt for w, i in shares),
        output=total(w * i.output for w, i in shares),
        quality=total(w * i.quality for w, i in shares),
        retries=largest.retries,
        timeout_ms=largest.timeout_ms,
        probe_timeout_ms=largest.probe_timeout_ms,
        messages=tuple(dict.fromkeys(m for _, i in shares for m in i.messages)),
    )
    for callee in sorted({name for _, i in shares for name in i.calls}):
        mean.calls[callee] = total(w * i.calls.get(callee, 1.0) for w, i in shares)
    return mean


def _tail_latency(shares: Sequence[tuple[float, Influence]]) -> float:
    """The latency of the slowest twentieth of the requests."""
    slower = 0.0
    for share, influence in sorted(shares, key=lambda row: -row[1].worst_latency):
        slower += share
        if slower >= _SHOWS_IN_P95:
            return influence.worst_latency
    return shares[0][1].worst_latency


def total(values: Iterable[float]) -> float:
    """A plain sum from left to right: Python's own rounds otherwise since 3.12, and worlds are the same everywhere."""
    added = 0.0
    for value in values:
        added += value
    return added
