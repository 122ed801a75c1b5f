"""The explicit tenant follows the context and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import threading
from concurrent.futures import ThreadPoolExecutor

import anyio.to_thread
import pytest

from tenantmetrics.tenant.identity.tenant_context import current_tenant, tenant


def test_blocks_nest_and_end():
    """The innermost counts, also when it ends by an exception."""
    assert current_tenant() is None
    with tenant("acme"):
        with tenant("bee"):
            assert current_tenant() == "bee"
        with pytest.raises(ZeroDivisionError), tenant("bee"):
            1 / 0  # noqa: B018 - raises
        assert current_tenant() == "acme"
    assert current_tenant() is None


def test_it_decorates_a_function_that_calls_itself():
    """Each call enters and leaves on its own."""

    @tenant("acme")
    def count(n):
        assert current_tenant() == "acme"
        return n and count(n - 1)

    assert count(3) == 0
    assert current_tenant() is None


def test_one_object_may_be_entered_inside_itself():
    """And undoes in order."""
    block = tenant("acme")
    with block, tenant("bee"), block:
        assert current_tenant() == "acme"
    assert current_tenant() is None


def test_tasks_and_threads_do_not_see_each_other():
    """A task carries its own; a new thread starts without."""

    async def ask(name):
        with tenant(name):
            await asyncio.sleep(0)
            return current_tenant()

    async def both():
        return await asyncio.gather(ask("acme"), ask("bee"))

    assert asyncio.run(both()) == ["acme", "bee"]
    seen = []
    with tenant("acme"):
        thread = threading.Thread(target=lambda: seen.append(current_tenant()))
        thread.start()
        thread.join()
    assert seen == [None]


@pytest.mark.parametrize("name", [None, 42, b"acme", ["acme"]])
def test_a_name_that_is_no_text_is_refused_at_once(name):
    """With what to do about it."""
    with pytest.raises(TypeError, match="str"):
        tenant(name)


def test_an_empty_name_is_refused_at_once():
    """Nobody is not a tenant."""
    with pytest.raises(ValueError, match="not empty"):
        tenant("")


def test_a_block_entered_in_one_thread_and_left_in_another_harms_nobody():
    """As FastAPI runs a synchronous dependency: each half in a thread, in a copy of the context."""

    @contextlib.contextmanager
    def dependency():
        with tenant("acme"):
            yield current_tenant()

    async def request():
        block = dependency()
        inside = await anyio.to_thread.run_sync(block.__enter__)
        await anyio.to_thread.run_sync(block.__exit__, None, None, None)
        return inside, current_tenant()

    assert asyncio.run(request()) == ("acme", None)
    assert current_tenant() is None


def test_a_block_left_in_another_context_leaves_that_context_as_it_is():
    """Whatever tenant is there stays."""
    block = tenant("acme")
    contextvars.copy_context().run(block.__enter__)
    with tenant("bee"):
        block.__exit__(None, None, None)
        assert current_tenant() == "bee"
    assert current_tenant() is None


def test_blocks_left_in_the_order_they_were_entered_end_all_the_same():
    """What two generators do that end in turn."""
    first, second, third = tenant("acme"), tenant("bee"), tenant("cat")
    first.__enter__()
    second.__enter__()
    third.__enter__()
    first.__exit__(None, None, None)
    assert current_tenant() == "cat"
    second.__exit__(None, None, None)
    assert current_tenant() == "cat"
    third.__exit__(None, None, None)
    assert current_tenant() is None


def test_one_block_serves_many_threads_at_once():
    """Its state is the context's."""
    block = tenant("acme")
    barrier = threading.Barrier(8)

    def work(_):
        with block:
            barrier.wait(30)
            inside = current_tenant()
            barrier.wait(30)
        return inside, current_tenant()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == [("acme", None)] * 8


def test_an_async_generator_closed_by_the_garbage_collector_raises_nothing():
    """Its end runs in whatever context the loop gives it."""

    async def rows():
        with tenant("acme"):
            yield 1
            yield 2

    async def main():
        problems = []
        asyncio.get_running_loop().set_exception_handler(lambda _, found: problems.append(found))
        generator = rows()
        await generator.__anext__()
        del generator
        gc.collect()
        await asyncio.sleep(0)
        return problems

    assert asyncio.run(main()) == []


def test_it_decorates_coroutine_functions_and_generators():
    """The tenant is theirs while they run; whoever consumes them does not see it."""

    @tenant("acme")
    async def ask():
        await asyncio.sleep(0)
        return current_tenant()

    @tenant("acme")
    def numbers():
        got = yield current_tenant()
        try:
            yield got, current_tenant()
        except KeyError:
            yield "caught", current_tenant()
        return "done"

    @tenant("acme")
    async def stream():
        got = yield current_tenant()
        yield got, current_tenant()

    async def consume():
        generator = stream()
        first = await generator.asend(None)
        between = current_tenant()
        second = await generator.asend(7)
        await generator.aclose()
        return first, between, second

    assert asyncio.run(ask()) == "acme"
    generator = numbers()
    assert next(generator) == "acme"
    assert current_tenant() is None
    assert generator.send(5) == (5, "acme")
    assert generator.throw(KeyError()) == ("caught", "acme")
    with pytest.raises(StopIteration) as stop:
        next(generator)
    assert stop.value.value == "done"
    assert asyncio.run(consume()) == ("acme", None, (7, "acme"))
    assert current_tenant() is None
