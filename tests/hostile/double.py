"""A fake client for testing the harness: it shows a prompt, echoes keys, and has one forbidden behaviour.

`python -m tests.hostile.double FAULT ADDRESS …`: `none`, `leak` (a control byte reaches the terminal), `freeze` (keys
are not echoed for five seconds), `grow` (100 MiB), `exit` (exits with status 1), `traceback` (prints a failure and
continues), `stay` (its quit key has no effect), `deaf` (F5 has no effect). The fault starts with the first response
that differs from the healthy one: the double sends requests continuously, as a client does.
"""

import os
import select
import sys
import termios
import time
import tty
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from tests.hostile.documents import SESSION

ASK_EVERY = 0.1
F5 = b"\x1b[15~"


class Double:
    """Draws a header and a prompt with the same bytes as the real client."""

    def __init__(self, fault: str, address: str) -> None:
        self._fault = fault
        self._address = urlsplit(address).netloc
        self._struck = False
        self._typed = ""
        self._held: list[bytes] = []

    def run(self) -> int:
        self._write("\x1b[?1049h\x1b[1;1H● live\x1b[2;1Hall is well\x1b[3;1H › ")
        asked = 0.0
        while True:
            if time.monotonic() - asked > ASK_EVERY:
                asked = time.monotonic()
                healthy = self._ask()
                if not healthy and not self._struck:
                    self._struck = True
                    if self._strike():
                        return 1
                self._write("\x1b[1;1H● live        " if healthy else "\x1b[1;1H↻ lost: it fails")
            if select.select([0], [], [], 0.01)[0] and self._key(os.read(0, 1024)):
                return 0

    def _ask(self) -> bool:
        """Whether the server returns the list of messages as JSON; with `deaf` it never detects a recovery."""
        if self._fault == "deaf" and self._struck:
            return False
        return self._get(f"/session/{SESSION}/message") == "application/json"

    def _get(self, path: str) -> str | None:
        """The content type of the response; None if there is no response."""
        connection = HTTPConnection(self._address, timeout=60)
        try:
            connection.request("GET", path)
            return connection.getresponse().getheader("content-type")
        except (OSError, HTTPException):
            return None
        finally:
            connection.close()

    def _strike(self) -> bool:
        """Perform the forbidden behaviour; returns whether to exit."""
        match self._fault:
            case "leak":
                self._write("\x1b[4;1Hno\ttab")
            case "freeze":
                time.sleep(5.0)
            case "grow":
                self._held.append(b"x" * (100 << 20))
            case "traceback":
                self._write("\x1b[4;1HTraceback (most recent call last)")
            case "exit":
                return True
        return False

    def _key(self, keys: bytes) -> bool:
        """Echo the typed keys; returns whether to exit."""
        if b"\x11" in keys and self._fault != "stay":
            self._write("\x1b[?1049l")
            return True
        if F5 in keys and self._fault != "deaf":
            self._get("/event")
        text = keys.replace(F5, b"").replace(b"\x11", b"").decode("utf-8", "replace")
        self._typed = (self._typed + "".join(filter(str.isprintable, text)))[-20:]
        self._write(f"\x1b[3;4H{self._typed}")
        return False

    def _write(self, text: str) -> None:
        os.write(1, text.encode())


if __name__ == "__main__":
    tty.setraw(0, termios.TCSANOW)
    sys.exit(Double(sys.argv[1], sys.argv[2]).run())
