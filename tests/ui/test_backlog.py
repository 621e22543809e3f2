"""Changes that arrive faster than they can be shown."""

from tui.core import changes as c
from tui.core.model import Failure, PermissionRequest
from tui.ui.backlog import LIMIT, Backlog

SHOWN = "ses_1"


def drained(backlog: Backlog) -> list[c.Change]:
    return [backlog.next(SHOWN) for _ in range(len(backlog))]


def closed(at: int, session_id: str = SHOWN) -> c.RequestClosed:
    return c.RequestClosed(PermissionRequest(f"per_{at}", session_id, "bash"), "replied", reply="once")


def test_a_few_changes_are_not_coalesced() -> None:
    backlog = Backlog()
    came: list[c.Change] = [c.MessageChanged(SHOWN, "msg_1"), c.RequestsChanged(), c.RequestsChanged()]
    for change in came:
        backlog.add(change, SHOWN)
    assert drained(backlog) == came


def test_a_flood_of_messages_redraws_the_transcript() -> None:
    backlog = Backlog()
    for at in range(100 * LIMIT):
        backlog.add(c.MessageChanged(SHOWN, f"msg_{at}"), SHOWN)
        backlog.add(c.PartChanged("ses_other", f"msg_{at}", "prt_1"), SHOWN)
    assert len(backlog) <= LIMIT
    assert drained(backlog)[0] == c.TranscriptReset(SHOWN)


def test_a_flood_has_one_change_per_session() -> None:
    backlog = Backlog()
    sessions = 3 * LIMIT
    for _ in range(20):
        for at in range(sessions):
            backlog.add(c.SessionsChanged(f"ses_{at}"), SHOWN)
    assert len(backlog) <= 2 * sessions
    assert {change.session_id for change in drained(backlog) if isinstance(change, c.SessionsChanged)} == {
        f"ses_{at}" for at in range(sessions)
    }


def test_notices_stay_in_order() -> None:
    backlog, reported = Backlog(), []
    for at in range(2 * LIMIT):
        backlog.add(c.RequestsChanged(), SHOWN)
        reported.append(closed(at))
        backlog.add(reported[-1], SHOWN)
    assert [change for change in drained(backlog) if isinstance(change, c.RequestClosed)] == reported


def test_dropped_lines_of_the_shown_transcript_are_counted() -> None:
    backlog = Backlog()
    for change in (closed(1), closed(2, "ses_other"), c.FailureSeen(SHOWN, Failure("no")), c.RequestsChanged()):
        backlog.add(change, SHOWN)
    assert backlog.outcomes == 2
    drained(backlog)
    assert backlog.outcomes == 0


def test_a_few_changes_are_coalesced_on_request() -> None:
    backlog = Backlog()
    for at in range(10):
        backlog.add(c.PartChanged(SHOWN, "msg_1", f"prt_{at}"), SHOWN)
    backlog.add(closed(1), SHOWN)
    backlog.gather(SHOWN)
    assert drained(backlog) == [c.TranscriptReset(SHOWN), closed(1)]
