"""What model calls cost, by genai-prices' dated price list. An unknown price is unknown, never zero."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_PROVIDERS = {"gcp.gemini": "google", "openai": "openai"}
# Those of a model's name, `provider:id`. Another one may serve a model that somebody else sells under the same id.
_SELLERS = {"gemini": "google", "openai": "openai", "google-generativeai": "google"}


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


def most_cost(model: str, input_tokens: int, max_output_tokens: int) -> float | None:
    """The most US dollars that a call of `provider:id` can cost by today's list; None where its price is not known.

    No input is taken to be cached and the whole of the output to be used, thinking included. `input_tokens` has to be
    a number that the prompt does not exceed. Loads the price list, which takes a sixth of a second.
    """
    provider, _, name = model.partition(":")
    seller = _SELLERS.get(provider)
    if seller is None or input_tokens < 0 or max_output_tokens < 0:
        return None
    return _listed(name, seller, input_tokens, 0, max_output_tokens)


def _price(model: str, call: Mapping[str, Any]) -> float | None:
    provider = _PROVIDERS.get(str(call.get("gen_ai.provider.name")))
    names = ("input_tokens", "cache_read.input_tokens", "output_tokens")
    counts = [int(call.get(f"gen_ai.usage.{name}", 0)) for name in names]
    return _listed(model, provider, *counts)


def _listed(model: str, seller: str | None, input_tokens: int, cached_tokens: int, output_tokens: int) -> float | None:
    from genai_prices import Usage, calc_price

    try:
        usage = Usage(input_tokens=input_tokens, cache_read_tokens=cached_tokens, output_tokens=output_tokens)
        return float(calc_price(usage, model, provider_id=seller).total_price)
    except (LookupError, ValueError):
        # An unknown model, or counts of tokens that cannot be: either way there is no price to tell.
        return None
