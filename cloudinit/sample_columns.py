"""The columns of a sample: what the load generator reports about one request, as one line of CSV.

The guest and `measure` read this one file (`files/load/sample_columns.py` is a link to it); the k6 script gets the
order in its environment. Times are in milliseconds, `due` and `sent` from the start of the run. `app`, `pool` and
`db` are what the application reports by those names in Server-Timing, `database_connect` what it calls `connect`
there; `client_connect` is the time until the client had a connection to the web tier, and part of `client`.
"""

_WHOLE = r"\d+"
_TIME = r"[0-9.-]*"  # empty where unknown

COLUMNS = {
    "number": _WHOLE,
    "due": _TIME,
    "sent": _TIME,
    "wait": _TIME,
    "client_connect": _TIME,
    "client": _TIME,
    "app": _TIME,
    "pool": _TIME,
    "database_connect": _TIME,
    "db": _TIME,
    "status": _WHOLE,  # 0: no response
    "error": _WHOLE,  # k6's error code
    "good": "[01]",
    "kind": "[a-z]+",
    "trace": "[0-9a-f]{16}",  # low half of the trace id, and id of the client's span
}
"""The pattern of each column's values, in the order of the line."""

HEADER = ",".join(COLUMNS)
LINE = ",".join(COLUMNS.values())
"""The pattern of a whole line."""
