"""Each schedule of faults ends with nothing lost, nothing doubled, and the truth on screen."""

import asyncio
import gc
import os
from collections.abc import Iterable
from pathlib import Path

from tests.chaos import invariants
from tests.chaos.scene import Scene
from tests.chaos.schedule import draw
from tests.chaos.truth import Truth
from tests.chaos.virtual_time import VirtualTime, run
from tests.waiting import wait_until


def test_nothing_is_lost_and_the_screen_tells_the_truth(seed: int, tmp_path: Path) -> None:
    files = open_files()
    schedule = draw(seed)
    folder = tmp_path / "journal"
    folder.mkdir()

    async def play(loop: VirtualTime) -> list[str]:
        scene = Scene(loop, schedule, folder)
        await scene.begin()
        try:
            await scene.play()
            found = await outcome(scene)
        except AssertionError as failure:
            found = [str(failure)]
        await scene.end()
        await asyncio.sleep(1.0)  # virtual: what was closed is told of in the next rounds of the loop
        found += [f"a task is left over: {task}" for task in asyncio.all_tasks() - {asyncio.current_task()}]
        return [*found, *invariants.nothing_broke(scene.person, loop.broken)]

    differences = run(play)
    gc.collect()
    differences += [f"open since then: {name}" for name in open_files() - files]
    again = f"pytest tests/chaos --seed={seed}"
    assert not differences, "\n".join(["", *differences, str(schedule), f"again: {again}"])


async def outcome(scene: Scene) -> list[str]:
    """Come to rest twice, once before the open requests are answered; what differs from what must hold."""
    person = scene.person
    early = await scene.rest(answering=False)
    found = [f"while requests wait: {one}" for one in held_open(scene, early)]
    late = await scene.rest(answering=True)
    found += [*held_open(scene, late)]
    found += invariants.prompts_arrived_once_or_are_shown_as_not_sent(person, late)
    found += invariants.the_model_ran_once(person, late, lambda token: scene.server.runs[token])
    found += invariants.turns_end_as_the_server_says(person, late)
    found += invariants.connections_keep_to_the_backoff(person)
    found += invariants.nothing_is_sent_after_401(person)
    await person.leave()
    await wait_until(lambda: not any(relay.connections for relay in person.relays), what="connections to close")
    found += invariants.nothing_is_left_over(person)
    return found


def held_open(scene: Scene, truth: Truth) -> Iterable[str]:
    yield from invariants.acknowledged_answers_are_the_servers(scene.person, truth)
    yield from invariants.the_store_equals_the_server(scene.person, truth)
    yield from invariants.requests_on_screen_are_the_servers(scene.person, truth)


def open_files() -> set[str]:
    """Every open file and socket of this process, by number and name."""
    found = set()
    for number in os.listdir("/dev/fd"):
        try:
            found.add(f"{number} {os.readlink(f'/dev/fd/{number}')}")
        except OSError:
            continue  # the listing's own
    return found
