"""The explicit tenant follows the context and nothing else."""

from __future__ import annotations

import asyncio
import threading

import pytest

from tenantmetrics.tenant.identity.context import current_tenant, tenant


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
