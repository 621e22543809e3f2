"""`holdfast completion`: prints the script for a shell, which asks this command for the completions of a line."""

import os
import signal

import click
from click.shell_completion import CompletionItem, ShellComplete, split_arg_string

from tui.cli.options import HELP
from tui.core.sanitize import single_line

SCRIPTS = {
    "bash": """\
_holdfast_completion() {
    local line=${COMP_LINE:0:COMP_POINT} kind value help word cut=
    word=${line##*[ =]}
    [[ $COMP_WORDBREAKS == *:* && $word == *:* ]] && cut=${word%"${word##*:}"}  # bash replaces what follows the colon
    COMPREPLY=()
    while IFS=$'\\t' read -r kind value help; do
        case $kind in
            file) compopt -o default 2>/dev/null ;;
            value) COMPREPLY+=("${value#"$cut"}") ;;
        esac
    done < <("$1" completion bash --line "$line" 2>/dev/null)
}
complete -F _holdfast_completion holdfast
""",
    "zsh": """\
#compdef holdfast
_holdfast() {
    local kind value help
    local -a values shown
    while IFS=$'\\t' read -r kind value help; do
        case $kind in
            file) _files ;;
            value) values+=("$value"); shown+=("$value${help:+  -- $help}") ;;
        esac
    done < <("${words[1]}" completion zsh --line "${(j: :)words[1,CURRENT-1]} $IPREFIX$PREFIX" 2>/dev/null)
    (( $#values )) && compadd -l -V holdfast -d shown -a values
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _holdfast "$@"
else
    compdef _holdfast holdfast
fi
""",
    "fish": """\
function __holdfast_completion
    set -l line (commandline -cp | string collect)
    for answer in (holdfast completion fish --line "$line" 2>/dev/null)
        set -l columns (string split -m 2 \\t -- $answer)
        switch $columns[1]
            case file
                __fish_complete_path (string replace -r '^--[^=]*=' '' -- (commandline -ct))
            case value
                printf '%s\\t%s\\n' $columns[2] "$columns[3]"
        end
    end
end
complete --command holdfast --no-files --keep-order --arguments '(__holdfast_completion)'
""",
}
"""The script of each shell. It passes the line up to the cursor, and reads lines of kind, value and help."""

MAX_HELP_CHARACTERS = 60
"""Maximum characters of the help beside a value."""


ENDS_AFTER = 3.0
"""Seconds after which the command ends without completions, whatever blocks it, such as a name server."""


class LineComplete(ShellComplete):
    """Completes `line`: the command up to the cursor, quoted as it was typed. Its last word is incomplete."""

    def __init__(self, cli: click.Command, shell: str, line: str) -> None:
        super().__init__(cli, {}, "holdfast", "")
        *self._args, last = split_arg_string(f"{line}.")[1:] or ["."]
        self._incomplete = last[:-1]
        option, equals, _ = self._incomplete.partition("=")
        splits_at_equals = shell == "bash"
        self._prefix = option + equals if option.startswith("-") and equals and not splits_at_equals else ""

    def get_completion_args(self) -> tuple[list[str], str]:
        return self._args, self._incomplete

    def format_completion(self, item: "CompletionItem[str]") -> str:
        if item.type != "plain":
            return "file"
        return f"value\t{self._prefix}{item.value}\t{single_line(item.help or '', MAX_HELP_CHARACTERS)}"


@click.command(context_settings=HELP)
@click.argument("shell", type=click.Choice(list(SCRIPTS)))
@click.option("--line", hidden=True, help="Print the completions of this line instead.")
def command(shell: str, line: str | None) -> None:
    """Print the completion script for a shell: bash, zsh or fish.

    Commands, options and their values are completed; ids of sessions and requests come from the server.
    """
    if line is None:
        click.echo(SCRIPTS[shell], nl=False)
        return
    from tui.cli.main import main

    signal.signal(signal.SIGALRM, lambda *_: os._exit(0))
    signal.setitimer(signal.ITIMER_REAL, ENDS_AFTER)
    completions = LineComplete(main, shell, line).complete()
    if completions:
        click.echo(completions)
