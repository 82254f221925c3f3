"""The JSON Schema of a scenario file, for editors: the classes' own, with durations as the texts that they are."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import BeforeValidatorFunctionSchema

from aiops_cli.adapters.backends.simulator import parts
from aiops_cli.adapters.backends.simulator.scenario import Scenario
from aiops_cli.domain import truth

DIALECT = "https://json-schema.org/draft/2020-12/schema"
# Python's side of it is `parts._seconds`: a text such as 2h40m, never a number.
_UNITS = r"(?=\d)(?:\d+d)?(?:\d+h)?(?:\d+m)?(?:\d+s)?$"
OFFSET = f"^-?{_UNITS}"
NOT_NEGATIVE = f"^{_UNITS}"
POSITIVE = f"^(?=.*[1-9]){_UNITS}"


class _ScenarioSchema(GenerateJsonSchema):
    """A duration is read by a function before pydantic sees a number, and one step may stand for a list of steps."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def function_before_schema(self, schema: BeforeValidatorFunctionSchema) -> JsonSchemaValue:
        function = schema["function"]["function"]
        if function is parts._seconds:
            return {"type": "string", "pattern": OFFSET}
        if function is truth._one_or_many:
            return {"anyOf": [{"type": "string"}, self.generate_inner(schema["schema"])]}
        return super().function_before_schema(schema)


def part_schema(part: type[BaseModel]) -> dict[str, Any]:
    """The schema of one part of a scenario."""
    schema: dict[str, Any] = _with_durations(part.model_json_schema(schema_generator=_ScenarioSchema))
    return schema


def scenario_schema() -> dict[str, Any]:
    """The schema of the whole file."""
    return {"$schema": DIALECT, "title": "Scenario"} | part_schema(Scenario)


def _with_durations(node: Any) -> Any:
    """Turn a duration's limits and default, which are numbers of seconds, into what a text can be held to."""
    if isinstance(node, list):
        return [_with_durations(inner) for inner in node]
    if not isinstance(node, Mapping):
        return node
    if node.get("pattern") != OFFSET:
        return {key: _with_durations(inner) for key, inner in node.items()}
    pattern = POSITIVE if "gt" in node or "exclusiveMinimum" in node else NOT_NEGATIVE if "ge" in node else OFFSET
    kept = {key: value for key, value in node.items() if key not in ("gt", "ge")}
    default = {"default": _duration_text(node["default"])} if isinstance(node.get("default"), float) else {}
    return kept | {"pattern": pattern} | default


def _duration_text(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return (f"{minutes}m" if minutes else "") + (f"{rest}s" if rest or not minutes else "")
