import sys

# httpx imports its own command line, and with it rich, if it can: half of its import time, and never used here
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # None lets an import of it fail, see PEP 328
