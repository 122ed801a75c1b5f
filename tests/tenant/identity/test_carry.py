"""The ways that docs/tenants.md names of carrying the tenant to other threads."""

import asyncio
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor

from tenantmetrics import tenant
from tenantmetrics.tenant.identity.tenant_context import current_tenant


def test_threads_and_executors_carry_a_copy_of_the_context():
    """Without one they start without a tenant."""
    with ThreadPoolExecutor(1) as pool, tenant("acme"):
        assert pool.submit(current_tenant).result() is None
        assert pool.submit(contextvars.copy_context().run, current_tenant).result() == "acme"
        found = []
        thread = threading.Thread(
            target=contextvars.copy_context().run, args=(lambda: found.append(current_tenant()),)
        )
        thread.start()
        thread.join()
        assert found == ["acme"]


def test_event_loops_carry_it_to_threads():
    """`to_thread` by itself, `run_in_executor` with a copy."""

    async def main():
        loop = asyncio.get_running_loop()
        with tenant("acme"):
            assert await asyncio.to_thread(current_tenant) == "acme"
            copy = contextvars.copy_context()
            assert await loop.run_in_executor(None, copy.run, current_tenant) == "acme"

    asyncio.run(main())


def test_one_block_is_entered_by_eight_threads_at_once():
    """State stands in the context, not in the block."""
    block, together = tenant("acme"), threading.Barrier(8)

    def work():
        for _ in range(200):
            with block:
                together.wait(30)
                if current_tenant() != "acme":
                    return "lost inside"
            if current_tenant() is not None:
                return "left behind"
        return "held"

    with ThreadPoolExecutor(8) as pool:
        assert {future.result() for future in [pool.submit(work) for _ in range(8)]} == {"held"}
