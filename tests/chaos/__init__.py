"""Seeded schedules of faults between the client and a server, and what must hold once they are over."""
