"""NATS JetStream: streams of messages with a sequence, collected exactly once."""
