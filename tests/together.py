"""Cases that one run can look at together, because each is at a place of its own."""

from collections.abc import Callable, Iterable

__all__ = ["apart"]


def apart(names: Iterable[str], place: Callable[[str], str]) -> list[list[str]]:
    """The cases in groups, as few as there are cases at one place.

    Args:
        names: The cases.
        place: Where a case is; those of a group are at different places.
    """
    groups: list[list[str]] = []
    for name in names:
        for group in groups:
            if all(place(other) != place(name) for other in group):
                group.append(name)
                break
        else:
            groups.append([name])
    return groups
