//! The end-to-end suite: the real binary over real sockets.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

mod crash; // slashing protection in a process that is killed
mod faults; // slashing protection on a disk that fails
mod interchange; // the EIP-3076 suite through import and clear, broken files, export
mod memory_disk; // a disk that fails as planned
mod protection; // slashing protection against a full-history reference
mod random; // reproducible random numbers
mod scratch; // a directory for one test
