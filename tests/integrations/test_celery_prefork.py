"""Celery's own worker with its own processes: each task is its sender's, whoever was before."""

import os
import subprocess
import sys
import textwrap

import pytest

import tenantmetrics

WORK = """
    import os
    from celery import Celery
    from tenantmetrics.integrations.celery import carry_tenants
    from tenantmetrics.integrations.identity import current_tenant

    folder = os.environ["FOLDER"]
    app = Celery("work", broker="filesystem://", set_as_current=False)
    app.conf.update(
        broker_transport_options={
            "data_folder_in": folder + "/queue", "data_folder_out": folder + "/queue",
            "control_folder": folder + "/control",
        },
        task_ignore_result=True,
        worker_hijack_root_logger=False,
    )
    carry_tenants(app, exempt=("nobody",))

    def note(number):
        with open(f"{folder}/seen/{number}", "w") as file:
            file.write(f"{current_tenant()} {os.getpid()}")

    @app.task(name="somebody", shared=False)
    def somebody(number):
        note(number)
        if number % 5 == 0:
            raise LookupError

    @app.task(name="nobody", shared=False)
    def nobody(number):
        note(number)
"""


@pytest.mark.long
def test_tasks_of_one_process_are_their_senders(tmp_path, monkeypatch, eventually):
    """Two processes, ninety tasks of two tenants and of nobody; a third of them fail."""
    for folder in ("queue", "control", "seen"):
        (tmp_path / folder).mkdir()
    (tmp_path / "prefork_work.py").write_text(textwrap.dedent(WORK))
    monkeypatch.setenv("FOLDER", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    import prefork_work as work  # noqa: PLC0415 - written above

    wanted = {}
    for number in range(90):
        name = ("acme", "globex", None)[number % 3]
        wanted[number] = str(name)
        if name is None:
            work.nobody.delay(number)
        else:
            with tenantmetrics.tenant(name):
                work.somebody.delay(number)
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "prefork_work", "worker", "-c", "2", "-l", "ERROR",
         "--without-gossip", "--without-mingle"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    seen = tmp_path / "seen"
    try:
        eventually(
            lambda: (
                len(list(seen.iterdir())) == len(wanted)
                and all(path.read_text() for path in seen.iterdir())
            )
        )
    finally:
        worker.terminate()
        worker.wait(30)
    found = {int(path.name): path.read_text().split() for path in seen.iterdir()}
    assert {number: name for number, (name, _) in found.items()} == wanted
    assert len({process for _, process in found.values()}) <= 2
