"""Tests of what measures: its arithmetic, and that each measurement runs. No figure is judged here."""
