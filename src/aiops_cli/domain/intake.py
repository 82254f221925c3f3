"""What a run began from, as text that is kept: so that it can be taken up again when it was cut off."""

from pydantic import TypeAdapter, ValidationError

from aiops_cli.domain.alert import AlertGroup

_GROUP: TypeAdapter[AlertGroup] = TypeAdapter(AlertGroup)


def intake_text(group: AlertGroup) -> str:
    """An alert group as JSON."""
    return _GROUP.dump_json(group).decode()


def read_intake(text: str) -> AlertGroup:
    """The alert group that was kept. Raises ValueError where the text is not that of one."""
    try:
        return _GROUP.validate_json(text)
    except ValidationError as error:
        raise ValueError("what the run began from cannot be read") from error
