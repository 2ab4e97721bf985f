"""One error for every missing or wrong field; it names fields and shows no values."""

import pytest
from pydantic import Field

from adapters.errors import NotUnderstood
from adapters.replies import Reply, read_reply
from ballast.domain.words import System


class Receiver(Reply):
    mobile: str = Field(alias="Mobile", max_length=11)


class Document(Reply):
    number: int
    receiver: Receiver


def test_what_is_not_used_may_come_and_go() -> None:
    read = read_reply(Document, {"number": 1, "receiver": {"Mobile": "1", "x": 2}, "y": 3}, System.WECHAT)
    assert read.receiver.mobile == "1"


def test_the_error_names_every_field_and_shows_no_value() -> None:
    with pytest.raises(NotUnderstood) as wrong:
        read_reply(Document, {"number": "x", "receiver": {"Mobile": "139000000011"}}, System.WECHAT, order_no="SO1")
    text = str(wrong.value)
    assert "wechat, order SO1" in text
    assert "number" in text and "receiver.Mobile" in text and "Document" in text
    assert "139000000011" not in text and wrong.value.__cause__ is None


@pytest.mark.parametrize("data", [None, [], "text", b"{}", 1])
def test_another_shape_altogether_is_the_same_error(data: object) -> None:
    with pytest.raises(NotUnderstood, match="document"):
        read_reply(Document, data, System.WECHAT)
