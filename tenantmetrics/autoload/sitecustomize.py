"""Python runs this at its start where `tenantmetrics-run` has put its folder on the path.

It costs nothing until botocore is imported: then the first session that is made switches metering
on (`tenantmetrics.instrument()`). A `sitecustomize` of the machine's own runs as ever.
"""

# ruff: noqa: INP001 - Python knows this file by its folder's place on the path

from __future__ import annotations

import importlib
import importlib.abc
import importlib.util
import os
import sys
from typing import Any

_HERE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - no import at each start


class _WithBotocore(importlib.abc.MetaPathFinder):
    """Finds botocore as ever, and has something done once it is loaded."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> Any:  # noqa: ARG002
        if fullname != "botocore":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def load_and_watch(module: Any) -> None:
                load(module)
                module.register_initializer(_on_session)

            spec.loader.exec_module = load_and_watch  # type: ignore[method-assign]
        return spec


def _on_session(_session: object) -> None:
    global _switched_on
    if _switched_on:
        return
    _switched_on = True
    try:
        import tenantmetrics  # noqa: PLC0415 - only where there is something to meter

        tenantmetrics.instrument()
    except Exception as error:  # noqa: BLE001 - their program goes on
        sys.stderr.write(
            f"tenantmetrics-run: not metered, because {type(error).__name__}: {error}\n"
        )


_switched_on = False
sys.meta_path.insert(0, _WithBotocore())

# The machine's own comes next: this folder has only hidden it.
sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != _HERE]  # noqa: PTH100
_ours = sys.modules.pop("sitecustomize", None)
try:
    importlib.import_module("sitecustomize")
except ModuleNotFoundError:
    if _ours is not None:
        sys.modules["sitecustomize"] = _ours
