"""What `--help` prints: all of it, and lines that are not cut."""

import pytest

from tests.argument_tree import COMMANDS


def printed(path):
    """The help of a command, on a terminal of 80 columns."""
    context = None
    for depth in range(len(path)):
        found = COMMANDS[path[: depth + 1]]
        context = found.make_context(
            path[depth], [], parent=context, resilient_parsing=True, max_content_width=80
        )
    return COMMANDS[path].get_help(context)


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_leaves_nothing_out(path):
    """Every word of every option's text, defaults in brackets too; of a list, every first line."""
    text = printed(path)
    words = "".join(text.split()).replace("-", "")
    for parameter in COMMANDS[path].params:
        said = "".join((getattr(parameter, "help", "") or "").split()).replace("-", "")
        assert said in words, parameter.name
    assert "..." not in text.partition("\nCommands:")[2]


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_says_what_each_option_does(path):
    """No option without a text, and a command's first line is one sentence."""
    command = COMMANDS[path]
    for parameter in command.params:
        assert getattr(parameter, "help", None), parameter.name
    first = (command.help or "").strip().split("\n\n")[0]
    assert first.endswith(".")
    assert "\n" not in first


def test_every_group_is_walked():
    """The list above has all of them, from the argument tree itself."""
    assert ("tenantmetrics", "rls", "check") in COMMANDS
    assert len(COMMANDS) > 30
