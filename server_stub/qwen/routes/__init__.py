"""The routes of qwen serve, one module per subject; `root.py` assembles them."""
