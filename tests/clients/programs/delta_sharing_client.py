"""Read a shared table with the unmodified clients: delta-sharing (pandas), and DuckDB over the files it names."""

import json
import sys
import tempfile
import urllib.request
from pathlib import Path

import delta_sharing
import duckdb

told = json.loads(sys.argv[1])
profile = Path(tempfile.mkdtemp(), "partner.share")
profile.write_text(json.dumps(told["profile"]))
client = delta_sharing.SharingClient(str(profile))
table = f"{profile}#{told['table']}"
whole = delta_sharing.load_as_pandas(table)
found = {
    "shares": [share.name for share in client.list_shares()],
    "schemas": [schema.name for schema in client.list_schemas(client.list_shares()[0])],
    "tables": [f"{one.share}.{one.schema}.{one.name}" for one in client.list_all_tables()],
    "version": delta_sharing.get_table_version(table),
    "columns": {name: str(kind) for name, kind in whole.dtypes.items()},
    "rows": sorted(whole.astype(str).values.tolist()),
    "limited": len(delta_sharing.load_as_pandas(table, limit=2)),
    "first": len(delta_sharing.load_as_pandas(table, version=1)),
}
share, schema, name = told["table"].split(".")
address = f"{told['profile']['endpoint']}/shares/{share}/schemas/{schema}/tables/{name}/query"
token = {"Authorization": f"Bearer {told['profile']['bearerToken']}", "Content-Type": "application/json"}
request = urllib.request.Request(address, data=b"{}", headers=token)
lines = [json.loads(line) for line in urllib.request.urlopen(request).read().splitlines()]
files = []
for index, line in enumerate(lines[2:]):
    files.append(f"{tempfile.mkdtemp()}/{index}.parquet")
    urllib.request.urlretrieve(line["file"]["url"], files[-1])
query = "SELECT count(*), sum(age) FROM read_parquet(?, union_by_name = true)"
found["duckdb"] = duckdb.execute(query, [files]).fetchall()[0]
print(json.dumps(found))
