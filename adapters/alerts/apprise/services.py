"""The package, loaded when the first message needs it: it knows more than a hundred services, and that takes a second.

It blocks, so whoever calls it does so in a thread.
"""

import logging
from collections.abc import Sequence
from typing import Any

from ballast.settings import wrong_apprise_url


class NoSuchService(Exception):
    """apprise makes nothing of the URL. The text does not show it."""


def load(url: str, more_targets: Sequence[str] = ()) -> Any:
    """The plugin of this URL, at an e-mail server also for `more_targets`. Raises `NoSuchService`."""
    from apprise import Apprise
    from apprise.plugins import url_to_dict

    _keep_secrets()
    parts = url_to_dict(url, secure_logging=True)  # type: ignore[no-untyped-call]  # the package does not annotate it
    if parts is None:
        raise NoSuchService("apprise does not understand its URL; see https://appriseit.com for how it is written")
    if more_targets and parts["schema"] in ("mailto", "mailtos"):
        parts["targets"] = [*parts["targets"], *more_targets]
    plugin = Apprise.instantiate(parts)
    if plugin is None:
        raise NoSuchService("apprise does not accept its URL: something in it is missing or wrong")
    for scheme in _schemes(plugin):
        if why := wrong_apprise_url(f"{scheme}://x"):
            raise NoSuchService(why)
    return plugin


def tell(plugin: Any, title: str, body: str) -> bool | None:
    """Send; whether all of it went through. None: the service has nobody to tell."""
    from apprise import Apprise, NotifyFormat, NotifyType

    sender = Apprise()
    sender.add(plugin)
    answer: bool | None = sender.notify(
        body=body, title=title, body_format=NotifyFormat.TEXT, notify_type=NotifyType.WARNING
    )
    return answer


def mail_server(plugin: Any) -> tuple[str, int] | None:
    """Host and port of the e-mail server, if the plugin is for one."""
    return (str(plugin.smtp_host), int(plugin.port)) if hasattr(plugin, "smtp_host") else None


def _schemes(plugin: Any) -> list[str]:
    found: list[str] = []
    for names in (plugin.protocol, plugin.secure_protocol):
        found += [names] if isinstance(names, str) else list(names or ())
    return found


def _keep_secrets() -> None:
    """Its log names receivers and, of some services, addresses with tokens; so does the log of its HTTP library."""
    logging.getLogger("apprise").setLevel(logging.CRITICAL)
    logging.getLogger("urllib3").setLevel(logging.WARNING)
