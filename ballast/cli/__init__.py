"""The command line: an entry point at the top of the stack. Heavy imports stand inside the commands."""

import os
import select
import sys

from cyclopts import App

from ballast import __version__
from ballast.ending import end_in_order_when_told

app = App(name="ballast", version=__version__, help="Carries every order from payment to sign-off. 压舱石")

order = App(name="order", help="One order.")
db = App(name="db", help="The database.")
parked = App(name="parked", help="Messages that could not be read: an unknown code, an unknown shape.")
for group in (order, db, parked):
    app.command(group)


def main() -> None:
    """Run one command. What people can mend is one sentence on stderr, not a traceback."""
    _load_commands()
    end_in_order_when_told()
    try:
        try:
            code = app()
        finally:
            sys.stdout.flush()
        sys.exit(code)
    except BrokenPipeError:
        if not _nobody_reads():
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left to flush goes there
        sys.exit(141)  # as the shell says of who wrote to a closed pipe
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # what is not plain goes on as it is, with its traceback
        if not _is_plain(error):
            raise
        print(f"ballast: {error}", file=sys.stderr)
        sys.exit(2)


def _load_commands() -> None:
    """Each module registers its own."""
    import ballast.cli.alerts
    import ballast.cli.backups
    import ballast.cli.cancelling
    import ballast.cli.channels
    import ballast.cli.charting
    import ballast.cli.customers
    import ballast.cli.editing
    import ballast.cli.incoming
    import ballast.cli.ledger
    import ballast.cli.machine
    import ballast.cli.meanings
    import ballast.cli.money
    import ballast.cli.orders
    import ballast.cli.pruning
    import ballast.cli.quoting
    import ballast.cli.reconciling
    import ballast.cli.replaying
    import ballast.cli.reporting
    import ballast.cli.reserved
    import ballast.cli.returning
    import ballast.cli.risk
    import ballast.cli.rule_trying
    import ballast.cli.rules
    import ballast.cli.stock
    import ballast.cli.stock_limits
    import ballast.cli.stock_view
    import ballast.cli.upkeep
    import ballast.cli.watching  # noqa: F401  # they register their commands


def _nobody_reads() -> bool:
    """Whether what our output went to has closed: `ballast rules show price | head`. A database may hang up, too."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def _is_plain(error: Exception) -> bool:
    """Errors whose text says what to mend; matched by name so that a quick command imports none of their modules."""
    plain = {
        "BackupFailed",
        "FileError",
        "MappingError",
        "NewerDatabase",
        "NoDay",
        "NoWindow",
        "NotChanged",
        "NobodyKnows",
        "NotInArchive",
        "NotRunning",
        "OutsideError",
        "PruneRefused",
        "PublicationRefused",
        "QuoteRefused",
        "RefundRefused",
        "ReturnRefused",
        "ReplayFailed",
        "ReportNotWritten",
        "RulesError",
        "RunFailed",
        "SettingsError",
        "StartFailed",
        "StatementRefused",
        "Unanswerable",
        "UnknownStatement",
    }
    return any(kind.__name__ in plain for kind in type(error).__mro__)
