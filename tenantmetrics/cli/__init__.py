"""The command line: `tenantmetrics COMMAND`. One file a command; `app` is the argument tree."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; errors of ours are one line on stderr and exit code 1 (2 for usage)."""
    from tenantmetrics.cli.interrupts import at_once, never_lost
    from tenantmetrics.errors import MissingExtraError, TenantMetricsError

    try:
        try:
            with at_once():
                from tenantmetrics.cli.app import app
        except ModuleNotFoundError as error:
            if error.name not in {"typer", "rich"}:
                raise
            raise MissingExtraError("the command line", "cli") from None
        with never_lost():
            app()
    except TenantMetricsError as error:
        from tenantmetrics.cli.flags import in_flags

        sys.exit(f"tenantmetrics: {in_flags(error)}")
    except OSError as error:
        # A full disk behind the output, for one; what commands read and write names itself.
        sys.exit(f"tenantmetrics: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        # Ctrl-C while Python runs code from a string, as each dataclass does when its module is
        # loaded, marks the interpreter: `python -m` then dies by SIGINT instead of with the status
        # given here. Running another string clears the mark (run_eval_code_obj in pythonrun.c).
        exec("")  # noqa: S102
