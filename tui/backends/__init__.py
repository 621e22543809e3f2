"""One package per server family: its routes, and their translation into `tui.core`. `families.py` lists them."""
