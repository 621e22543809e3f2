"""The parts that only `qwen serve` has: sessions live in memory, with their own events, queues and clients.

As measured on `qwen serve` 0.24.4, or read in its source where a docstring says so. Messages, runs and scripts are
those of `ServerState` and `Agent`, as for every protocol.
"""
