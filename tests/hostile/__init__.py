"""Attacks of a hostile server on the client, observed from outside."""
