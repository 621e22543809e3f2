"""Tests with real agent servers from npm and a scripted model. Run only by `make real`."""
