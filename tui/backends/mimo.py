"""MiMo Code, a fork of opencode: the same routes with another name, and turns that end with their POST.

From its source and the pull request of its padded stream; no package of it could be measured.
"""

from tui.backends.base import Traits
from tui.backends.opencode import OpenCode

MIMO = Traits(family="mimo", cancels_on_disconnect=True, queues_prompts=False, answers_in_id_order=True)


class MimoCode(OpenCode):
    """One MiMo Code server."""

    directory_header = "x-mimocode-directory"
    default_traits = MIMO
