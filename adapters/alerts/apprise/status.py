"""apprise has no codes: it says yes, or it says no and not why. Source: the vendor sheet, §4."""

from typing import Final

NOT_WHOLE: Final = (
    "it was not confirmed whole: some of its receivers may have it; "
    "`apprise -v -b test URL` with the URL of BALLAST_APPRISE__URLS says more"
)
NOBODY: Final = "its URL in BALLAST_APPRISE__URLS names nobody to tell"
