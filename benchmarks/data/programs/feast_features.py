"""Join features as of the moments of a spine with Feast's file offline store; prints CPU and wall seconds as JSON."""

import json
import sys
import time
from datetime import timedelta
from pathlib import Path

import pandas as pd
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.types import Float64, Int64


def main(folder: Path) -> None:
    """Declare one view, and join it."""
    source = FileSource(
        path=str(folder / "rows.parquet"), timestamp_field="event_timestamp", created_timestamp_column="created"
    )
    entity = Entity(name="customer", join_keys=["customer"], value_type=ValueType.INT64)
    fields = [Field(name="f0", dtype=Float64), Field(name="f1", dtype=Float64), Field(name="f2", dtype=Int64)]
    view = FeatureView(name="facts", entities=[entity], ttl=timedelta(days=3650), schema=fields, source=source)
    config = RepoConfig(
        project="bench",
        provider="local",
        registry=str(folder / "registry.db"),
        offline_store={"type": "file"},
        online_store={"type": "sqlite", "path": str(folder / "online.db")},
        entity_key_serialization_version=3,
    )
    store = FeatureStore(config=config)
    store.apply([entity, view])
    spine = pd.read_parquet(folder / "spine.parquet")
    cpu, wall = time.process_time(), time.monotonic()
    found = store.get_historical_features(entity_df=spine, features=["facts:f0", "facts:f1", "facts:f2"]).to_df()
    print(
        json.dumps(
            {
                "cpu_s": time.process_time() - cpu,
                "wall_s": time.monotonic() - wall,
                "rows": len(found),
                "known": int(found["f2"].notna().sum()),
            }
        )
    )


main(Path(sys.argv[1]))
