"""One file a server family: its routes and the translation into `tui.core`, nothing else."""
