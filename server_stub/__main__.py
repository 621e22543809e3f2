"""The command `holdfast-stub`: a scripted agent server on loopback, for trying the client and for its tests.

Its first line of output is the address it serves. It never listens beyond loopback.
"""

import socket

import click
import uvicorn

from server_stub.app import create_app
from server_stub.clock import PacedClock
from server_stub.profiles import DEFAULT_PROFILE, PROFILES


@click.command()
@click.option("--port", default=0, show_default=True, help="TCP port; 0 takes a free one.")
@click.option("--profile", type=click.Choice(sorted(PROFILES)), default=DEFAULT_PROFILE.name, show_default=True)
@click.option("--scenario", default="tour", show_default=True, help="What a prompt without any known word plays.")
@click.option(
    "--speed", default=1.0, show_default=True, envvar="HOLDFAST_STUB_SPEED", help="2 halves every pause."
)
@click.option("--admin", is_flag=True, help="Open the route that injects faults.")
def main(port: int, profile: str, scenario: str, speed: float, admin: bool) -> None:
    """Serve a scripted agent on 127.0.0.1 until interrupted."""
    app = create_app(PROFILES[profile], scenario=scenario, admin=admin, clock=PacedClock(speed))
    listener = socket.create_server(("127.0.0.1", port))
    server = uvicorn.Server(
        uvicorn.Config(
            app, log_level="warning", timeout_graceful_shutdown=1, lifespan="off", ws="none", server_header=False
        )
    )
    app.state.server = server
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    server.run(sockets=[listener])


if __name__ == "__main__":
    main()
