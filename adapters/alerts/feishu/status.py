"""The bot's error codes. Source: the vendor sheet, §3 (19001 is [M])."""

from typing import Final

TOO_FAST: Final = frozenset({11232})
MOST_PER_MINUTE: Final = 100
MOST_PER_SECOND: Final = 5
PAUSE_SECONDS: Final = 60.0
"""Above 100 messages a minute or 5 a second, and when the whole of 飞书 is busy: at whole and half hours."""

ADVICE: Final = {
    19021: "the signature is not accepted; compare BALLAST_FEISHU__SECRET and this machine's clock",
    19022: "this machine's address is not on the bot's IP list",
    19024: "the bot's keyword is not in the message; use 签名校验 instead of keywords",
    19001: "unknown bot; check BALLAST_FEISHU__TOKEN and BALLAST_FEISHU__URL",
    9499: "the bot cannot read the message",
}
