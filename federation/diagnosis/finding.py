"""What one check found: a sentence for people, and what to do where something is wrong."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from ...errors import FedscanError

State = Literal["ok", "warning", "problem", "skipped"]
_PROBLEM: tuple[State, ...] = ("problem",)


class DoubtError(FedscanError):
    """Something that works now, yet somebody should look at; a check raises it as a warning."""


class NotApplicableError(FedscanError):
    """A check cannot be made, for a reason that is no fault; a check raises it to be skipped."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The outcome of one check.

    Attributes:
        check: What was looked at.
        state: How it is.
        message: What was found.
        hint: What to do about it; empty where nothing is.
        exit_status: Exit status that a problem of this kind has on the command line.
    """

    check: str
    state: State
    message: str
    hint: str = ""
    exit_status: int = 0


def examine(check: str, look: Callable[[], str]) -> Finding:
    """Make one check.

    Args:
        check: What is looked at, in a few words.
        look: Returns what is fine about it, or raises what is not.

    Returns:
        A problem for a :class:`FedscanError` or a failing system call; anything else is a bug
        and is raised.
    """
    try:
        return Finding(check=check, state="ok", message=look())
    except DoubtError as doubt:
        return Finding(check=check, state="warning", message=doubt.message, hint=doubt.hint)
    except NotApplicableError as reason:
        return Finding(check=check, state="skipped", message=reason.message, hint=reason.hint)
    except FedscanError as error:
        return Finding(
            check=check,
            state="problem",
            message=error.message,
            hint=error.hint,
            exit_status=error.exit_status,
        )
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return Finding(
            check=check,
            state="problem",
            message=f"{where}{error.strerror or 'the operating system refuses it'}.",
            hint="Run as the user that fedscan runs as, and see that the file exists.",
            exit_status=FedscanError.exit_status,
        )


def examine_in_turn(
    checks: Iterable[tuple[str, Callable[[], str]]],
    *,
    ends: Collection[State] = _PROBLEM,
    regardless: str,
) -> Iterator[Finding]:
    """Make checks of which each needs what the one before it looked at: the first fault ends them.

    Args:
        checks: What is looked at, and how; see :func:`examine`.
        ends: What a finding must be to end them.
        regardless: The check whose fault keeps nothing after it from being looked at.
    """
    for check, look in checks:
        finding = examine(check, look)
        yield finding
        if finding.state in ends and check != regardless:
            return


def exit_status(findings: list[Finding]) -> int:
    """Exit status that tells the first problem; 0 without one."""
    return next((f.exit_status or 1 for f in findings if f.state == "problem"), 0)
