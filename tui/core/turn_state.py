"""The states of a turn, and what a turn asks its client to do."""

from enum import Enum


class TurnState(Enum):
    SENDING = "sending"
    UNKNOWN = "unknown"
    RUNNING = "running"
    WAITING = "waiting"
    RETRYING = "retrying"
    FINISHED = "finished"
    FAILED = "failed"
    ABORTED = "aborted"
    INTERRUPTED = "interrupted"
    CANCELLED = "cancelled"
    NOT_SENT = "not sent"


TERMINAL_STATES = frozenset(
    {
        TurnState.FINISHED,
        TurnState.FAILED,
        TurnState.ABORTED,
        TurnState.INTERRUPTED,
        TurnState.CANCELLED,
        TurnState.NOT_SENT,
    }
)

ABNORMAL_ENDS = frozenset({TurnState.FAILED, TurnState.INTERRUPTED, TurnState.CANCELLED})
"""Ends that were not requested by this client, and that the server may report differently or not at all."""


class Action(Enum):
    """What the client must do next."""

    POLL = "poll the server for the prompt, its answer and the status"
    POST = "post the prompt (again), with the same ids"
    CLOSE_POST = "close the POST: its result is known"
