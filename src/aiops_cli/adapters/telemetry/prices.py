"""What model calls cost, by genai-prices' dated price list. An unknown price is unknown, never zero."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_PROVIDERS = {"gcp.gemini": "google"}


@dataclass(frozen=True, slots=True)
class Cost:
    """US dollars, or None with the reason in `note`."""

    usd: float | None
    note: str


def price_calls(calls: Sequence[Mapping[str, Any]]) -> Cost:
    """The cost of calls by their span attributes; priced by the model that answered, not the one that was asked."""
    if not calls:
        return Cost(None, "no model was called")
    answered = [call for call in calls if "gen_ai.usage.input_tokens" in call]
    if not answered:
        return Cost(None, "no call was answered with a count of tokens")
    total = 0.0
    for call in answered:
        model = str(call.get("gen_ai.response.model") or call.get("gen_ai.request.model"))
        price = _price(model, call)
        if price is None:
            return Cost(None, f"the price of {model} is not known")
        total += price
    left = len(calls) - len(answered)
    return Cost(total, f"{left} of {len(calls)} calls gave no count of tokens" if left else "")


def _price(model: str, call: Mapping[str, Any]) -> float | None:
    from genai_prices import Usage, calc_price

    usage = Usage(
        input_tokens=int(call["gen_ai.usage.input_tokens"]),
        cache_read_tokens=int(call.get("gen_ai.usage.cache_read.input_tokens", 0)),
        output_tokens=int(call.get("gen_ai.usage.output_tokens", 0)),
    )
    provider = _PROVIDERS.get(str(call.get("gen_ai.provider.name")))
    try:
        return float(calc_price(usage, model, provider_id=provider).total_price)
    except (LookupError, ValueError):
        # An unknown model, or counts of tokens that cannot be: either way there is no price to tell.
        return None
