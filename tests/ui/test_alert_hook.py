"""The program of `[notify] exec` in the app: it is run for what `holdfast watch` tells, and failures are shown once."""

import json
import sys
from pathlib import Path
from typing import Literal, cast

import pytest

from tests import sample_events as sample
from tests.fake_client import LIVE, FakeClient
from tests.waiting import wait_until
from tui.client.client import Client
from tui.config.display import NotifySettings
from tui.core import events as e
from tui.core.model import Prompt
from tui.core.turn import Turn
from tui.core.turn_state import TurnState
from tui.ui.alert_hook import AlertHook


def connected(settings: NotifySettings) -> tuple[FakeClient, AlertHook, list[str]]:
    client, failures = FakeClient(), list[str]()
    hook = AlertHook(cast(Client, client), settings, on_failure=failures.append)
    client.subscribe(hook.on_change)
    client.feed(e.SessionUpserted(sample.session(title="Fix the parser")))
    client.set_line(LIVE)
    return client, hook, failures


async def test_request_and_end_of_a_turn_are_told(tmp_path: Path) -> None:
    written = tmp_path / "written"
    code = f"import sys; open({str(written)!r}, 'a').write(sys.stdin.read())"
    client, hook, failures = connected(NotifySettings(exec=(sys.executable, "-c", code)))
    client.feed(e.RequestOpened(sample.asked_in(sample.SESSION)))
    client.feed(e.RequestOpened(sample.asked_in(sample.SESSION)))
    turn = Turn.begin(Prompt(sample.SESSION, "words", "msg_1", "prt_1"), client.now())
    turn.state = TurnState.FINISHED
    client.turn_moved(turn)
    await wait_until(lambda: written.exists() and written.read_text().count("\n") == 2)
    await hook.close()
    alerts = [json.loads(line) for line in written.read_text().splitlines()]
    assert sorted(one["summary"] for one in alerts) == [
        "Fix the parser needs your answer: Which port?",
        "Fix the parser: turn finished",
    ]
    assert failures == []


async def test_failure_is_shown_once() -> None:
    client, hook, failures = connected(NotifySettings(exec=("/no/such/program",)))
    for number in range(3):
        client.feed(e.RequestOpened(sample.asked_in(sample.SESSION, f"que_{number}")))
    await wait_until(lambda: failures)
    await hook.close()
    (failure,) = failures
    assert failure.startswith("[notify] exec: /no/such/program cannot be started: ")


@pytest.mark.parametrize(("when", "command"), [("never", ("/no/such/program",)), ("always", ())])
async def test_nothing_is_run_where_it_is_off(when: Literal["never", "always"], command: tuple[str, ...]) -> None:
    client, hook, failures = connected(NotifySettings(when=when, exec=command))
    client.feed(e.RequestOpened(sample.asked_in(sample.SESSION)))
    assert hook.is_off
    await hook.close()
    assert failures == []
