"""What `qwen serve` has that other families lack: sessions that live in memory, their events, queues and clients.

As measured on `qwen serve` 0.24.4, or read in its source where that is said. Transcripts, runs and scripts are the
world's and the agent's, as for every family.
"""
