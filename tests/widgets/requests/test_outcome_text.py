from tests.sample_events import CHOICES, ONE_CHOICE, PERMISSION
from tui.core.changes import GivenReply, ReplyStatusChanged, RequestClosed
from tui.widgets.requests.outcome_text import Outcomes

ANSWERS = (("SQLite",), ("Migration", "Expiry"))


def text(words: object) -> str:
    return getattr(words, "plain", "")


def test_our_answer_is_reported_once_when_acknowledged() -> None:
    outcomes = Outcomes()
    outcomes.sent(CHOICES, ANSWERS)
    assert outcomes.changed(ReplyStatusChanged(CHOICES, "sending")) is None
    assert outcomes.closed(RequestClosed(CHOICES, "answered", ANSWERS)) is None
    shown = outcomes.changed(ReplyStatusChanged(CHOICES, "acknowledged"))
    assert text(shown) == "✓ answered  Store: SQLite · Extras: Migration, Expiry"
    assert outcomes.closed(RequestClosed(CHOICES, "answered", ANSWERS)) is None


def test_the_closing_event_may_follow_the_acknowledgement() -> None:
    outcomes = Outcomes()
    outcomes.sent(ONE_CHOICE, (("Leave them",),))
    assert text(outcomes.changed(ReplyStatusChanged(ONE_CHOICE, "acknowledged"))) == "✓ answered  Leave them"
    assert outcomes.closed(RequestClosed(ONE_CHOICE, "answered", (("Leave them",),))) is None


def test_another_clients_answer_is_attributed_to_it() -> None:
    outcomes = Outcomes()
    shown = outcomes.closed(RequestClosed(CHOICES, "answered", (("Postgres",), ())))
    assert text(shown) == "· answered elsewhere  Store: Postgres · Extras: not answered"


def test_another_clients_earlier_answer_wins() -> None:
    outcomes = Outcomes()
    outcomes.sent(CHOICES, ANSWERS)
    assert outcomes.closed(RequestClosed(CHOICES, "answered", (("Postgres",), ()))) is None
    shown = text(outcomes.changed(ReplyStatusChanged(CHOICES, "elsewhere")))
    assert shown.startswith("· answered elsewhere  Store: Postgres")
    assert shown.endswith("your answer was not accepted")


def test_an_expired_request() -> None:
    outcomes = Outcomes()
    outcomes.sent(CHOICES, ANSWERS)
    shown = text(outcomes.changed(ReplyStatusChanged(CHOICES, "expired", "its turn was aborted")))
    assert shown.startswith("! expired: the server does not have this request any more: its turn was aborted")
    assert outcomes.closed(RequestClosed(CHOICES, "gone")) is None


def test_a_refused_answer_leaves_the_request_open() -> None:
    outcomes = Outcomes()
    outcomes.sent(CHOICES, ANSWERS)
    assert "still open" in text(outcomes.changed(ReplyStatusChanged(CHOICES, "refused", "bad label")))
    outcomes.sent(CHOICES, ANSWERS)
    assert text(outcomes.changed(ReplyStatusChanged(CHOICES, "acknowledged"))).startswith("✓ answered")


def test_rejections_and_permissions() -> None:
    outcomes = Outcomes()
    outcomes.sent(CHOICES, None)
    assert text(outcomes.changed(ReplyStatusChanged(CHOICES, "acknowledged"))) == "× rejected the question"
    outcomes.sent(PERMISSION, "always")
    assert text(outcomes.changed(ReplyStatusChanged(PERMISSION, "acknowledged"))) == "✓ allowed always  bash: pytest *"
    assert text(Outcomes().closed(RequestClosed(PERMISSION, "replied", (), "once"))) == "· allowed once elsewhere  bash"
    assert (
        text(Outcomes().closed(RequestClosed(PERMISSION, "replied", (), "always")))
        == "· allowed always elsewhere  bash: pytest *"
    )
    outcomes.sent(PERMISSION, "reject", "not on\nFridays")
    assert text(outcomes.changed(ReplyStatusChanged(PERMISSION, "acknowledged"))) == "× rejected  bash · not on Fridays"
    assert text(Outcomes().closed(RequestClosed(CHOICES, "rejected"))) == "· rejected elsewhere"


def test_a_stale_request_is_reported_as_withdrawn() -> None:
    shown = text(Outcomes().closed(RequestClosed(CHOICES, "gone")))
    assert shown == "· the question was withdrawn"


def test_a_stopped_answer_to_a_withdrawn_question_is_reported_as_unknown() -> None:
    outcomes = Outcomes()
    outcomes.sent(CHOICES, ANSWERS)
    stopped = ReplyStatusChanged(CHOICES, "stopped", "401 Unauthorized")
    assert outcomes.changed(stopped) is None  # the question's own panel shows it
    assert outcomes.closed(RequestClosed(CHOICES, "gone")) is None
    shown = text(outcomes.changed(stopped))
    assert shown.startswith("! the question was withdrawn; whether your answer was accepted is not known: 401")
    assert shown.endswith("fix it, then F5 to check")
    assert text(outcomes.changed(ReplyStatusChanged(CHOICES, "acknowledged"))).startswith("✓ answered")


def test_an_answer_of_an_earlier_run_is_ours() -> None:
    """It is sent by the client that found it in the journal, not typed in this run."""
    outcomes = Outcomes()
    assert outcomes.changed(ReplyStatusChanged(CHOICES, "sending", given=GivenReply(ANSWERS))) is None
    assert outcomes.closed(RequestClosed(CHOICES, "answered", ANSWERS)) is None
    assert text(outcomes.changed(ReplyStatusChanged(CHOICES, "acknowledged"))).startswith("✓ answered")
    outcomes.changed(ReplyStatusChanged(PERMISSION, "sending", given=GivenReply("reject", "not on Fridays")))
    assert text(outcomes.changed(ReplyStatusChanged(PERMISSION, "acknowledged"))) == "× rejected  bash · not on Fridays"


def test_another_clients_answer_known_only_from_the_record() -> None:
    outcomes = Outcomes()
    outcomes.sent(CHOICES, ANSWERS)
    assert outcomes.closed(RequestClosed(CHOICES, "gone")) is None
    shown = text(outcomes.changed(ReplyStatusChanged(CHOICES, "elsewhere", "Postgres")))
    assert shown == "· answered elsewhere: Postgres · your answer was not accepted"
