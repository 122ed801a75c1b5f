"""A wrong value of any option is one line in plain words, whichever library read it."""

import pytest

from tests.argument_tree import COMMANDS

WRONG = "-no such value-"


def _is_checked(path, parameter):
    """Whether it takes a choice or a number."""
    context = COMMANDS[path].make_context(path[-1], [], resilient_parsing=True)
    shown, _ = parameter.get_help_record(context) or ("", "")
    return any(kind in shown.lower() for kind in ("|", "<int", "<float"))


CHECKED = {
    f"{' '.join(path)} {parameter.opts[0]}": (path, parameter.opts[0])
    for path, command in COMMANDS.items()
    for parameter in command.params
    if _is_checked(path, parameter)
}


def refused(arguments, capsys):
    """The last line on standard error of a command that ends with status 2."""
    with pytest.raises(SystemExit) as ended:
        COMMANDS[("tenantmetrics",)].main(arguments, prog_name="tenantmetrics")
    assert ended.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(("path", "option"), CHECKED.values(), ids=CHECKED)
def test_a_wrong_value_is_told_in_plain_words(path, option, capsys):
    """The option, what was given, what is taken; nothing of the library that checks it."""
    said = refused([*path[1:], f"{option}={WRONG}"], capsys)
    assert said.startswith(f"Error: Invalid value for '{option}'")
    assert repr(WRONG) in said
    assert "Value error" not in said
    assert "Input should" not in said


def test_a_number_out_of_range_is_told_with_the_range(capsys):
    """A number that is none, and one that is too small."""
    for text, wanted in (("x", "'x' must be a valid integer."), ("0", "'0' must be greater than")):
        assert wanted in refused(["cost", "compare", "--instances", text], capsys)


def test_the_list_above_has_the_options_that_take_a_choice():
    """It is taken from the argument tree; an empty one would prove nothing."""
    assert {"tenantmetrics report --server-time", "tenantmetrics local --port"} <= CHECKED.keys()
    assert len(CHECKED) > 15
