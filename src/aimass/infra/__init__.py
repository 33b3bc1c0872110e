"""The ground: each port of the platform with its adapters and its conformance suite."""
