"""Celery: the tenant goes where the task goes, and never stays for the next."""

import celery
import pytest
from celery import chain, chord, group
from celery.contrib.testing.worker import start_worker

from tenantmetrics import tenant
from tenantmetrics.errors import ConfigError, TenantRefusedError
from tenantmetrics.integrations.celery import HEADER, TenantTask, carry_tenants
from tenantmetrics.integrations.identity import current_tenant

OPTIONS = {
    "broker_url": "memory://",
    "result_backend": "cache+memory://",
    "broker_transport_options": {"polling_interval": 0.002},
    "worker_hijack_root_logger": False,
    "task_default_queue": "tenants",
}


class Work:
    """An application with tasks, and what they saw."""

    def __init__(self, **settings):
        self.app = celery.Celery("work", set_as_current=False)
        self.app.conf.update(OPTIONS)
        carry_tenants(self.app, **settings)
        self.seen = seen = []

        @self.app.task(shared=False, name="whose")
        def whose(*_):
            seen.append(current_tenant())
            return current_tenant()

        @self.app.task(shared=False, name="nightly")
        def nightly():
            return current_tenant()

        @self.app.task(shared=False, name="again", bind=True, max_retries=2)
        def again(task):
            seen.append(current_tenant())
            if task.request.retries < 2:
                raise task.retry(countdown=0)
            return current_tenant()

        class Telling(TenantTask):
            abstract = True

            def on_failure(self, *_):
                seen.append(("on_failure", current_tenant()))

        @self.app.task(shared=False, name="fails", base=Telling)
        def fails():
            tenant("left").__enter__()
            raise LookupError

        self.whose, self.nightly, self.again, self.fails = whose, nightly, again, fails

    def get(self, result):
        return result.get(timeout=20, interval=0.005)


@pytest.fixture(scope="module")
def worker():
    """An application with a worker of one thread in this process; each task runs after another."""
    work = Work(exempt=("nightly",))
    with start_worker(
        work.app, pool="threads", concurrency=1, perform_ping_check=False,
        shutdown_timeout=20, loglevel="ERROR", without_heartbeat=True,
    ):  # fmt: skip
        yield work


@pytest.fixture
def work(worker):
    worker.seen.clear()
    return worker


def test_a_task_has_the_tenant_of_whoever_sent_it(work):
    """And the next has its own, or none: nothing stays in the worker's thread."""
    for name in ("acme", "globex"):
        with tenant(name):
            sent = work.whose.delay()
        assert work.get(sent) == name
        assert work.get(work.nightly.delay()) is None, "it has the tenant of the task before"


def test_what_a_task_starts_is_its_tenants(work):
    """Retries, a chain, a group with its chord, and what is run when it failed."""
    with tenant("acme"):
        results = [
            work.again.delay(),
            chain(work.whose.si(), work.whose.si(), work.whose.si()).delay(),
            chord(group(work.whose.si(), work.whose.si()), work.whose.s()).delay(),
        ]
        failed = work.fails.apply_async(link_error=work.whose.si())
    assert [work.get(result) for result in results] == ["acme"] * 3
    with pytest.raises(LookupError):
        work.get(failed)
    assert work.get(work.nightly.delay()) is None
    assert set(work.seen) == {"acme", ("on_failure", "acme")}, "what a task left open stays in it"
    assert len(work.seen) == 3 + 3 + 3 + 1 + 1


def test_a_task_without_a_tenant_is_refused_on_both_sides(work):
    """Where it is sent, and where it comes: another program may not know of tenants."""
    with pytest.raises(TenantRefusedError, match="whose was sent without a tenant"):
        work.whose.delay()
    with pytest.raises(TenantRefusedError, match="received without"):
        work.get(work.app.send_task("whose"))
    for name in ("a b", "x" * 300, "", 7, ["acme"], "__idle__"):
        with pytest.raises(TenantRefusedError):
            work.get(work.app.send_task("whose", headers={HEADER: name}))
    assert work.seen == []
    assert work.get(work.app.send_task("whose", headers={HEADER: "acme"})) == "acme"


def test_the_tenant_of_the_moment_goes_before_a_header(work):
    """A copied header must not send another tenant's task."""
    with tenant("globex"):
        assert work.get(work.whose.apply_async(headers={HEADER: "acme"})) == "globex"
    assert work.get(work.whose.apply_async(headers={HEADER: "acme"})) == "acme"


def test_an_eager_task_and_a_call_are_their_callers():
    """No message, no header."""
    work = Work()
    work.app.conf.task_always_eager = True
    work.app.conf.task_store_eager_result = False
    with tenant("acme"):
        assert work.whose() == "acme"
        assert work.whose.apply().get() == "acme"
        assert work.whose.delay().get() == "acme"
        assert current_tenant() == "acme"
    assert work.whose() is None


def test_it_is_set_up_before_the_tasks():
    """A task that could not refuse is a mistake that is said at once."""
    app = celery.Celery("late", set_as_current=False)

    def early():
        pass

    app.task(name="early", lazy=False, shared=False)(early)
    with pytest.raises(ConfigError, match="early"):
        carry_tenants(app)

    class Own(celery.Task):
        pass

    with pytest.raises(ConfigError, match="derive from TenantTask"):
        carry_tenants(celery.Celery("own", task_cls=Own, set_as_current=False))

    class Derived(TenantTask):
        abstract = True

    carry_tenants(celery.Celery("derived", task_cls=Derived, set_as_current=False))
