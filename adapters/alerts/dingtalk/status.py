"""The robot's error codes. Source: the vendor sheet, §1 (the 13xxxx, 41xxxx and 43xxxx ones are [M])."""

from typing import Final

TOO_FAST: Final = frozenset({130101, 410100})
MOST_PER_MINUTE: Final = 20
MUTE_SECONDS: Final = 600.0
"""Above 20 messages a minute the robot is mute for ten minutes; whatever waits should become one digest."""

ADVICE: Final = {
    310000: "the robot's security check failed; compare BALLAST_DINGTALK__SECRET, keyword and IP list in the group",
    300001: "unknown robot; check BALLAST_DINGTALK__ACCESS_TOKEN",
    300005: "unknown robot; check BALLAST_DINGTALK__ACCESS_TOKEN",
}
