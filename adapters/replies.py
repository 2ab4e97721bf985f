"""Replies are read through small frozen models: a missing or wrong field is one `NotUnderstood`, from one place."""

from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from adapters.errors import NotUnderstood
from ballast.domain.words import System


class Reply(BaseModel):
    """What we read of a vendor's document. Fields that we do not use may come and go."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


M = TypeVar("M", bound=BaseModel)


def read_reply(model: type[M], data: object, system: System, *, order_no: str = "") -> M:
    """Read `data` as `model`. Raises `NotUnderstood` that names every wrong field and shows no value."""
    try:
        return model.model_validate(data)
    except ValidationError as wrong:
        fields = "; ".join(
            f"{'.'.join(str(part) for part in error['loc']) or 'document'}: {error['msg']}"
            for error in wrong.errors(include_url=False, include_context=False, include_input=False)[:10]
        )
        name = model.__name__
        what = f"not {'an' if name[0] in 'AEIOU' else 'a'} {name} as its sheet describes ({fields})"
        raise NotUnderstood(system, what, order_no=order_no) from None
