//! Sensors as they are spoken with: over gRPC and HTTP, on a port of their own.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod envoy;
mod guardrail;
mod otlp;
mod stand;
