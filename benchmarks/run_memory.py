"""Peak memory of `holdfast run` during a turn of an hour, which the stub plays a hundred times as fast."""

import re
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.table import Row, at_most
from tests.end_to_end.stub import running_stub
from tests.processes import clean_environment

AT_MOST = 40.0
LOOK_EVERY = 0.2
PEAK = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)


def rows(minutes: int = 60) -> list[Row]:
    """One turn; the peak is read from the kernel until the command ends."""
    with TemporaryDirectory() as folder:
        home = Path(folder)
        with running_stub(home / "stub", args=("--speed", "100")) as stub:
            command = (str(Path(sys.executable).with_name("holdfast")), "run", f"LONG {minutes}", stub.address)
            peak = 0
            with subprocess.Popen(
                command,
                env=clean_environment(home),
                cwd=home,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            ) as process:
                status = Path(f"/proc/{process.pid}/status")
                while process.poll() is None:
                    found = PEAK.search(status.read_text())
                    peak = int(found[1]) if found is not None else peak
                    time.sleep(LOOK_EVERY)
    return [at_most("run: peak memory, a turn of an hour", peak / 1024, AT_MOST, "MB", digits=1)]
