"""The client's model of the server, and the rules that change it.

Without I/O, screen or clock: times are passed in as seconds, randomness as a function.
"""
