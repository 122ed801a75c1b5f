"""The sidecar: an HTTP proxy for the Data API that meters any SDK in any language.

    protocol     uvicorn's protocol, with bounds on headers, time and connections
    gate         who may pass: Host, Origin, path, token, lists of ARNs
    app          one request: read, judge, sign, forward, hand back, record
    attempts     the SDK's attempts of one call, recorded as one call
    answers      what an answer says of its call
    signing      Signature Version 4, its key kept for the day
    credentials  the sidecar's own, looked up and refreshed beside the calls
    upstream     where a call goes, and the connections there
    exchange     one request and its answer on one of them
    operations   /healthz, /readyz, /metrics
    server       start, serve, drain, flush

Delivery contract: what the client sent is forwarded once or not at all, never again by the sidecar;
an answer is handed back byte for byte. A call that was forwarded is recorded whether an answer
came or not.
"""
