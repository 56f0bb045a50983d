"""The plain recipe: Flask's development server, and a connection for each query. Runs in the application guest."""

import os
import sys
from pathlib import Path

import psycopg2  # type: ignore[import-not-found,import-untyped,unused-ignore]
from flask import Flask  # type: ignore[import-not-found,unused-ignore]

port, user, database = sys.argv[1:]
service = Flask(__name__)


@service.get("/api/v1/accounts/<int:aid>")  # type: ignore[untyped-decorator,unused-ignore]
def account(aid: int) -> tuple[dict[str, object], int]:
    """Respond with an account's balance."""
    connection = psycopg2.connect(
        host=os.environ["DATABASE_HOST"],
        port=os.environ["DATABASE_PORT"],
        user=user,
        password=Path(os.environ["DATABASE_PASSWORD"]).read_text(encoding="utf-8"),
        dbname=database,
        sslmode="require",
    )
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT abalance FROM pgbench_accounts WHERE aid = %s", (aid,))
            row = cursor.fetchone()
    finally:
        connection.close()
    if row is None:
        return {"error": "no such account"}, 404
    return {"aid": aid, "balance": row[0]}, 200


service.run(host="0.0.0.0", port=int(port))  # noqa: S104 every address
