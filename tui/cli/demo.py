"""Runs the bundled stub server as a child process for `--demo`, during the app's lifetime."""

import os
import subprocess
import sys
from types import TracebackType

from tui.config.settings import SettingsError

EXIT_TIMEOUT = 3.0
"""Seconds that the stub has to exit after SIGTERM, before it is killed."""


class DemoServer:
    """`with DemoServer() as address`: a stub server on a free loopback port.

    Its standard input is a pipe from this process: the stub exits when the pipe closes, also after a crash of this
    process. Nothing in the working directory is run instead of it (`-P`). Raises `SettingsError` if it cannot be
    started.
    """

    def __enter__(self) -> str:
        environment = {k: v for k, v in os.environ.items() if not k.endswith("_PASSWORD")}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "server_stub", "--port", "0", "--while-stdin"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            text=True,
        )
        assert self._process.stdout is not None
        address = self._process.stdout.readline().split(maxsplit=1)
        if not address:
            self.__exit__(None, None, None)
            raise SettingsError("the demo server did not start: run `holdfast-stub` to see why")
        return address[0]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.terminate()
        try:
            self._process.wait(EXIT_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
