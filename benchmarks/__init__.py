"""Benchmarks of the client on the local machine: `make bench`."""
