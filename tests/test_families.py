"""Client, stub and fault suite each name the server families in one table; the rows belong together."""

import time

import pytest
from click.testing import CliRunner

from server_stub.domain.profiles import PROFILES
from tests.chaos import families as fault_suite
from tests.chaos.stub_server import StubServer
from tests.chaos.virtual_time import VirtualTime, run
from tests.contract_harness import new_backend
from tui.backends.families import FAMILIES
from tui.cli.main import main


def family_of(profile: str) -> str:
    """`mimo-cancel` is a variant of `mimo`."""
    return profile.partition("-")[0]


def test_every_family_of_the_client_has_a_profile_of_the_stub() -> None:
    assert {family_of(profile) for profile in PROFILES} == {family.name for family in FAMILIES}


def test_the_fault_suite_plays_every_profile() -> None:
    assert fault_suite.FAMILIES.keys() == PROFILES.keys() == set(fault_suite.IN_TURN)


@pytest.mark.parametrize("profile", PROFILES)
def test_the_family_of_every_profile_is_detected(profile: str) -> None:
    async def run_scenario(loop: VirtualTime) -> None:
        server = StubServer(PROFILES[profile], time.time())
        server.start()
        try:
            async with new_backend(server) as backend:
                assert backend.traits.family == family_of(profile)
        finally:
            await server.close()

    run(run_scenario)


def test_help_names_every_family_and_its_password() -> None:
    help_text = CliRunner().invoke(main, ["--help"]).output
    for family in FAMILIES:
        assert family.name in help_text
        assert family.password_variable in help_text
