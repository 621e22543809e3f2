"""The pictures of the README, and what takes them: `make screenshots`."""
