//! Names and counters, in Prometheus text.
