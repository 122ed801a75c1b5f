"""From the request to the tenant: each framework's request gets its tenant, or an answer.

    identity = Identity(FromJwt("tenant_id", jwks_url=…, algorithms=["RS256"], audience="api"))
    app.add_middleware(TenantMiddleware, identity=identity)

    identity     which ways there are, in their order, and what is done with what they say
    ways, jwt    the ways: header, path, host name, session, authorizer, function; JSON Web Token
    request      what a way may look at
    refusal      the answer to a request that names nobody, or names badly
    scope        the tenant of a piece of work, of other threads' work, and of nobody's
    asgi, wsgi   middleware for any application of the two protocols
    fastapi, flask, django, awslambda, celery, sqlalchemy
                 what is particular to each

No framework is imported before its module is.
"""
