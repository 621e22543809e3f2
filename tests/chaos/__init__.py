"""Seeded schedules of faults between client and server, and the invariants that are checked after them."""
