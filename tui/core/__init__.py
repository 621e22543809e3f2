"""The client's picture of the server, and the rules that change it.

Pure: no network, no screen, no clock. Time comes in as seconds, randomness as a function.
"""
