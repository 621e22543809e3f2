"""The routes of opencode and MiMo Code, one module per subject; `opencode/protocol.py` assembles them."""
