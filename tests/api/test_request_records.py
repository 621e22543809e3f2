"""What is kept of the requests of a turn is limited."""

from tui.api.request_records import CLOSED_BYTES, MAX_CLOSED, RequestRecords
from tui.api.values import PendingRequest, RequestRecord
from tui.core.memory_size import weight


def test_closed_requests_are_limited_in_size() -> None:
    records = RequestRecords()
    for number in range(50):
        request = PendingRequest(
            id=f"per_{number}", kind="permission", session="s", action="bash", patterns=("x" * 1_000_000,) * 3
        )
        records.put(RequestRecord(request=request, state="open"))
        records.put(RequestRecord(request=request, state="answered"))
    assert list(records.by_id) == [f"per_{number}" for number in range(50)]
    assert weight(records.by_id) < CLOSED_BYTES / 10
    assert records.by_id["per_0"].request.patterns[0].endswith("… 996,000 more characters")


def test_closed_requests_are_limited_in_number_and_a_denied_one_still_counts() -> None:
    records = RequestRecords()
    waiting = PendingRequest(id="per_open", kind="permission", session="s")
    records.put(RequestRecord(request=waiting, state="open"))
    for number in range(MAX_CLOSED + 2):
        request = PendingRequest(id=f"per_{number}", kind="permission", session="s")
        records.put(RequestRecord(request=request, state="answered" if number else "denied"))
    assert records.dropped == 2
    assert records.denied
    assert "per_open" in records.by_id
    assert "per_1" not in records.by_id
    assert len(records.by_id) == MAX_CLOSED + 1
