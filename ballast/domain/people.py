"""People who are told of things."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Person:
    """Someone to be told, with a handle of theirs per channel; empty: they cannot be rung there. `repr` shows the name.

    `mobile` is the one that their DingTalk or WeCom account knows, `wecom` a user id, `feishu` an open_id or user_id.
    """

    name: str
    mobile: str = field(default="", repr=False)
    wecom: str = field(default="", repr=False)
    feishu: str = field(default="", repr=False)
    email: str = field(default="", repr=False)
