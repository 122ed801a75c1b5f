"""What nobody here has seen on AWS, in one place that is easy to change.

Each name below is a guess: inferred from the documentation, from version 1's behaviour or from what
services of the same make do. Everything else in this package and in `localapi` rests on the service
model, on AWS's documentation or on what clients' repositories report from live clusters.

Two limits are left out on purpose. AWS documents 64 KB a row, but the tests of `data-api-client`
read values of 500 KB from live clusters. And one project saw live clusters look for parameters
inside dollar quotes and array slices; here both are read as PostgreSQL reads them.
"""

from __future__ import annotations

BODY_TOO_LARGE = (413, "RequestEntityTooLargeException")
"""Guess: AWS documents that a body over 4 MiB fails, not how."""

NOT_JSON = (400, "SerializationException")
"""Guess: what AWS's REST services of the same make answer to a body that does not parse."""

WRONG_MEDIA_TYPE = (415, "UnsupportedMediaTypeException")
"""Guess: likewise, for a content type other than JSON."""

UNKNOWN_PATH = (404, "UnknownOperationException")
"""Guess: likewise, for a path or a method that is not an operation."""

UNKNOWN_RESOURCE = (404, "DatabaseNotFoundException")
"""Guess: the model has the error, the documentation does not say that this raises it."""

UNKNOWN_SECRET = (400, "SecretsErrorException")
"""Guess: likewise; InvalidSecretException would be the other candidate."""

MISSING_PARAMETER = (400, "BadRequestException", "Cannot find parameter: {name}")
"""The text is version 1's as clients reported it; that version 2 keeps it is a guess."""

REPEATED_PARAMETER = (400, "ValidationException", "Parameter {name!r} is given more than once")
"""Guess: code and text."""

_TOO_LARGE = "Database response exceeded size limit."

RESPONSE_TOO_LARGE = (
    400,
    "UnsupportedResultException",
    f"{_TOO_LARGE} The result exceeds the size limit 1 MB.",
)
"""Two clients of version 2 wait for this code and the second sentence, AWS's troubleshooting page
has the first; that they stand in one text is ours, so that a search for either finds it."""

RESPONSE_TOO_LARGE_V1 = (
    400,
    "BadRequestException",
    f"{_TOO_LARGE} Database returned more than the allowed response size limit.",
)
"""Version 1 has two texts: `aurora-data-api` looks for the second before it pages, and its tests
for the first where one row is too large. When it is which is not known; here both are said."""

DUPLICATE_LABEL = (
    400,
    "UnsupportedResultException",
    "The result contains two columns with the name {label}; formatRecordsAs JSON needs aliases.",
)
"""Guess: the documentation only says that each column needs a name of its own."""

NOT_FINITE = (
    400,
    "UnsupportedResultException",
    "The result contains a value that is not a finite number: {type}.",
)
"""Guess: that NaN and infinity are refused was seen live; the text is not known."""

NOT_FINITE_MOMENT = (
    500,
    "InternalFailure",
    "The result contains an infinite {type}: cast it to text.",
)
"""A project that fronts live clusters reports a bare InternalFailure for infinite timestamps; that
dates do the same is a guess, and the text is ours: AWS sends none."""

_CAPITALS = ("money", "macaddr", "macaddr8", "bit", "varbit", "point", "line", "lseg", "box",
             "path", "polygon", "circle", "int8range", "tsrange", "tstzrange", "daterange",
             "jsonpath", "record")  # fmt: skip

UNSUPPORTED_NAMES = {
    "char": '"CHAR"',
    "interval": "INTERVAL",
    "timetz": "TIMETZ",
    **{name: name.upper() for name in _CAPITALS},
}
"""How an unsupported type is named in the error. "CHAR" in quotes, INTERVAL, TIMETZ, and regclass,
regtype[] and int2vector in lower case are reported from live clusters. So are texts of PostgreSQL
that name prepared statements `sqlx_s_1`: the service speaks to it through Rust's sqlx, which writes
the types that it knows in capitals, the others as format_type does. The rest follows from that."""

OVERSIZE_ENDS_TRANSACTION = True
"""Whether a result over the limit ends its transaction in version 2. `aurora-data-api` skips one
of its own tests because live clusters do so; version 1 left it open, and that client pages."""

COPY_TEXT = "execute: unexpected message: Copy{direction}Response"
"""COPY TO STDOUT fails live with this text; the code DatabaseErrorException and the same
for COPY FROM STDIN are guesses."""

UNSUPPORTED_BY_GUESS = frozenset(
    {"money", "macaddr", "macaddr8", "bit", "varbit", "pg_lsn", "tsvector", "tsquery", "jsonpath"}
    | {"point", "line", "lseg", "box", "path", "polygon", "circle"}
    | {"int8range", "tsrange", "tstzrange", "daterange"},
)
"""Guess: refused with the text that interval and timetz were seen to get."""

BATCH_IS_ATOMIC = True
"""Guess: a batch outside a transaction is all or nothing."""

COMMIT_OF_FAILED = "Transaction Committed"
"""Status of CommitTransaction where PostgreSQL answers COMMIT with ROLLBACK, after a failed
statement. Inferred from the tests of `aurora-data-api`, which run on live clusters and rest on it;
callers cannot tell from it that nothing was kept."""

EXECUTE_SQL_REFUSED = (
    400,
    "BadRequestException",
    "This API is deprecated and not available. Use ExecuteStatement API instead",
)
"""The text was reported of version 1 when it withdrew ExecuteSql (aws-cli, issue 4086); that
version 2 says the same is a guess."""

V1_MULTISTATEMENT_ANSWER = 0
"""Guess: which statement's result version 1 returns for several statements; 0 the first, as its
documentation said, -1 the last."""

OTHER_DATABASE_IN_TRANSACTION = (
    400,
    "BadRequestException",
    "Database name is not the same as transaction's",
)
"""Guess: when a call in a transaction names another database than BeginTransaction did."""

CONNECTION_LOST = (504, "DatabaseUnavailableException")
"""Guess: what a call gets whose backend PostgreSQL ended."""

CLIENT_GONE_CANCELS = True
"""Guess: a statement whose client closed its connection is cancelled, unless continueAfterTimeout
is set. AWS documents only that a call is ended after 45 seconds, whoever waits; a COMMIT and a call
that ends at that very moment go through in any case, so that a client may not conclude anything."""

TRANSACTION_AFTER_LOST_CONNECTION_IS_UNKNOWN = True
"""Guess: a transaction whose backend died is not found from then on."""

ARRAY_OF_BYTEA_SUPPORTED = False
"""Guess: ArrayValue has no member for blobs, so that such a column is refused."""

JSON_COLUMNS_STAY_TEXT = True
"""Guess: with formatRecordsAs JSON, a json or jsonb column is a string in the record."""

V1_REFUSES_ARRAYS = "Array parameters are not supported."
"""Version 1's documentation: array parameters are not supported; the text is a guess."""

ARRAY_BASE_COLUMN_TYPE = 0
"""columnMetadata's `arrayBaseColumnType`, of arrays too: text[], int4[] and float8[] were seen with
0 (local-data-api, issue 128, of version 1); that version 2 says the same is a guess."""
