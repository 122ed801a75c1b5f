"""Flask: `init_app(app, identity)`.

Contract: as that of `wsgi`, of which this is a use: streamed bodies and teardown functions are the
tenant's too, with or without `stream_with_context`. `FromSession` reads Flask's own session.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Flask

from tenantmetrics.errors import ConfigError
from tenantmetrics.integrations.identity import Identity
from tenantmetrics.integrations.wsgi import TenantMiddleware

__all__ = ["init_app"]


def init_app(app: Flask, identity: Identity) -> None:
    """Have every request of an application be its tenant's.

    Args:
        app: The application.
        identity: How the tenant is found.

    Raises:
        ConfigError: It was called before for the application, or the identity has a coroutine
            function.
    """
    if "tenantmetrics" in app.extensions:
        raise ConfigError("init_app was called twice for one application")

    def session(environ: dict[str, Any]) -> Mapping[str, Any]:
        found = app.session_interface.open_session(app, app.request_class(environ))
        return {} if found is None else found

    app.wsgi_app = TenantMiddleware(app.wsgi_app, identity, session)  # type: ignore[method-assign]
    app.extensions["tenantmetrics"] = identity
