"""The robot's error codes. Source: the vendor sheet, §2 (all of them are [M])."""

from typing import Final

TOO_FAST: Final = frozenset({45009})
MOST_PER_MINUTE: Final = 20
PAUSE_SECONDS: Final = 60.0
"""More than 20 messages in a minute: whatever waits should become one digest of the next one."""

ADVICE: Final = {
    93000: "unknown robot; check BALLAST_WECOM__KEY",
    40008: "the robot does not know this kind of message",
    40058: "the robot cannot read the message",
}
