"""The client on a line that has stopped: nothing is sent until the person acts."""

import asyncio

from tests.test_client import Meeting, virtually
from tui.core.health import LineState


@virtually()
async def test_an_answer_that_did_not_get_through_waits_for_the_person_too(meeting: Meeting) -> None:
    meeting.send("ASK1")
    request = await meeting.request()
    meeting.arm("401=events")
    meeting.arm("cut=events")
    await meeting.until(lambda: meeting.client.line().state is LineState.STOPPED)
    meeting.arm("cut=/question,at=headers,times=always")
    meeting.client.answer(request.id, (("SQLite",),))
    await asyncio.sleep(60)
    replies = [path for method, path in meeting.asked if path.endswith("/reply")]
    assert len(replies) == 1  # the person's own act, and none after it

    meeting.server.disarm_all()
    meeting.client.retry_now()
    assert (await meeting.outcome(request.id)).state == "acknowledged"
