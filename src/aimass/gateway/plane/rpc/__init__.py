"""The Open Inference Protocol over gRPC, on a port of its own; loaded only where the extra ``grpc`` is installed."""
