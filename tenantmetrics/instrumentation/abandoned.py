"""Calls that were given up: which of those under way does no running code wait for any more?

A call that ends in a BaseException leaves no event. Usually its state goes away with the frames of
the call, and closes it (`Request.__del__`). But somebody may hold the exception with its traceback,
or the greenlet that was killed, and exceptions hold each other in cycles: then the frames are there
and run no more. Whoever asks for exact numbers (`stats`, `flush`, the end of the process) has them
told apart here. It is one pass over the objects of the process, about 10 ms, and only while a call
is under way.
"""

from __future__ import annotations

import gc
import inspect
import sys
from collections.abc import Iterator
from types import AsyncGeneratorType, CoroutineType, FrameType, GeneratorType

from tenantmetrics.capture.request import Request, kinds_of_requests

__all__ = ["find"]

_MAX_DEPTH = 10_000
"""Frames of one thread that are looked at: more than Python's own limit of recursion."""


def find(under_way: list[int], key: str) -> list[Request]:
    """Look for calls that no frame runs or waits for.

    Args:
        under_way: What counts the calls of an adapter, and tells them from those of others.
        key: Under which a call's own dictionary holds its request.

    Returns:
        The requests that were given up.
    """
    kinds = kinds_of_requests()
    requests: dict[int, Request] = {}
    frames: list[FrameType] = list(sys._current_frames().values())  # noqa: SLF001 - documented
    for found in gc.get_objects():
        kind = type(found)  # `__class__` of a lazy object of Django's would make it
        if kind in kinds:
            if found.attempts and found.ended_ns is None and found.under_way is under_way:
                requests[id(found)] = found
        elif kind is CoroutineType:
            _add(frames, found.cr_frame)
        elif kind is GeneratorType:
            _add(frames, found.gi_frame)
        elif kind is AsyncGeneratorType:
            _add(frames, found.ag_frame)
        elif hasattr(kind, "gr_frame"):
            _add(frames, inspect.getattr_static(kind, "gr_frame").__get__(found))
    alive = {
        id(request)
        for frame in _all(frames)
        for held in list(frame.f_locals.values())
        if held.__class__ is dict and (request := held.get(key)).__class__ in kinds
    }
    # One that ended meanwhile is in no frame either.
    return [
        request
        for number, request in requests.items()
        if number not in alive and request.ended_ns is None
    ]


def _add(frames: list[FrameType], frame: FrameType | None) -> None:
    if frame is not None:
        frames.append(frame)


def _all(frames: list[FrameType]) -> Iterator[FrameType]:
    """The frames and those that called them, each once."""
    seen: set[int] = set()
    for innermost in frames:
        frame: FrameType | None = innermost
        while frame is not None and id(frame) not in seen and len(seen) < _MAX_DEPTH * len(frames):
            seen.add(id(frame))
            yield frame
            frame = frame.f_back
