"""Attacks on the client, watched from outside."""
