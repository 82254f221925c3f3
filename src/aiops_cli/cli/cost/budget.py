"""`aiops cost budget`: the limits, what is left of them, and the circuit breakers."""

from typing import TYPE_CHECKING, Any

from aiops_cli.cli.options import TableOutput, TableOutputOption

if TYPE_CHECKING:
    from aiops_cli.cli.cost.health import Standing
    from aiops_cli.domain.usage import Budget


def budget(output: TableOutputOption = TableOutput.TEXT) -> None:
    """What calls of models may cost, what is spent, set aside and left of it, and which models are not called now."""
    from aiops_cli.cli.cost.health import look_at_budgets
    from aiops_cli.cli.render import print_csv, print_json, print_lines

    state = look_at_budgets()
    if output is TableOutput.JSON:
        print_json({"schema_version": 1, **_data(state)})
    elif output is TableOutput.CSV:
        rows = [_row("day", state.today), *(_row(each.incident, each.budget) for each in state.incidents)]
        print_csv(("budget", "limit_usd", "spent_usd", "reserved_usd", "left_usd", "open", "unknown", "level"), rows)
    else:
        print_lines(_lines(state))


def _data(state: "Standing") -> dict[str, Any]:
    from dataclasses import asdict

    limits, (every, own) = state.limits, state.made
    return {
        "day": f"{state.at:%Y-%m-%d}",
        "daily": _part(state.today),
        "incidents": [{"incident": each.incident, **_part(each.budget)} for each in state.incidents],
        "incident_limit_usd": limits.incident_usd,
        "calls_per_minute": {"limit": limits.per_minute, "made": every},
        "calls_per_person": {"limit": limits.per_person, "made": own},
        "breakers": [asdict(each) for each in state.breakers],
    }


def _part(budget: "Budget") -> dict[str, Any]:
    from dataclasses import asdict

    return {**asdict(budget), "left_usd": budget.left_usd, "level": budget.level.value}


def _row(name: str, budget: "Budget") -> tuple[str | int | float | None, ...]:
    from aiops_cli.domain.redact import safe

    money = (budget.limit_usd, budget.spent_usd, budget.reserved_usd, budget.left_usd)
    return (safe(name, one_line=True), *money, budget.open, budget.unknown, budget.level.value)


def _lines(state: "Standing") -> list[str]:
    return [*_daily(state), *_incidents(state), _rates(state), *_breakers(state)]


def _daily(state: "Standing") -> list[str]:
    from aiops_cli.domain.figures import dollars
    from aiops_cli.domain.usage import DAILY_COST, cost_words, count_words

    today = state.today
    limit = dollars(today.limit_usd) if today.limit_usd is not None else "none; the setting daily_budget sets one"
    lines = [
        f"daily budget     {limit}",
        f"  day            {state.at:%Y-%m-%d} (UTC)",
        f"  spent          {cost_words(today.spent_usd or None, today.unknown)}",
    ]
    if today.open:
        lines.append(f"  set aside      {dollars(today.reserved_usd)} for {count_words(today.open)}, open or cut off")
    if today.unknown:
        lines.append(f"  unknown        {count_words(today.unknown)} of unknown price, in no sum")
    if today.left_usd is not None:
        at = f"warning above {DAILY_COST.warning:.0%}, critical above {DAILY_COST.critical:.0%}".replace("%", " %")
        lines += [f"  left           {dollars(today.left_usd)}", f"  level          {today.level} ({at})"]
    return lines


def _incidents(state: "Standing") -> list[str]:
    from aiops_cli.domain.figures import dollars
    from aiops_cli.domain.redact import safe
    from aiops_cli.domain.usage import cost_words

    limit = state.limits.incident_usd
    lines = [f"incident budget  {dollars(limit) if limit is not None else 'none'}"]
    for each in state.incidents:
        part = each.budget
        said = [cost_words(part.counted_usd or None, part.unknown)]
        if part.left_usd is not None:
            said += [f"{dollars(part.left_usd)} left", str(part.level)]
        lines.append(f"  {safe(each.incident, one_line=True):<13}  {', '.join(said)}")
    return lines


def _rates(state: "Standing") -> str:
    every, own = state.made
    limits = state.limits
    return f"calls a minute   {_of(every, limits.per_minute)}; yours {_of(own, limits.per_person)}"


def _of(made: int, limit: int | None) -> str:
    return f"{made} of {limit}" if limit is not None else f"{made}, no limit"


def _breakers(state: "Standing") -> list[str]:
    from aiops_cli.cli.cost.health import breaker_sentences
    from aiops_cli.domain.redact import safe

    said = [safe(each, one_line=True) for each in breaker_sentences(state.breakers)]
    return [f"circuit breakers {'none is open' if not said else ''}".rstrip(), *(f"  {each}" for each in said)]
