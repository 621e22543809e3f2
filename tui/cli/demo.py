"""The bundled stub server as a process of its own, for `--demo`: started before the app, ended with it."""

import os
import subprocess
import sys
from types import TracebackType

from tui.config.settings import SettingsError

END_WITHIN = 3.0
"""Seconds that the stub gets to end by itself."""


class DemoServer:
    """`with Demo() as address`: a stub server on a free port of loopback.

    Its standard input is a pipe from us: the stub ends when that closes, so even our own sudden death leaves
    nothing behind. Raises `SettingsError` when it cannot be started.
    """

    def __enter__(self) -> str:
        environment = {k: v for k, v in os.environ.items() if not k.endswith("_PASSWORD")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "server_stub", "--port", "0", "--while-stdin"],
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
            self._process.wait(END_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
