//! The end-to-end suite: the real binary over real sockets. One binary, its modules in the order of a
//! request's way.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

mod support;

mod http; // bytes in, bytes out: framing, limits, deadlines, on coroutines and on threads
mod rig; // a server with a small service, for the suite above

mod roots; // every good request's signing root, every bad one's refusal

mod crash; // slashing protection in a process that is killed
mod faults; // slashing protection on a disk that fails
mod interchange; // the EIP-3076 suite through import and clear, broken files, export
mod memory_disk; // a disk that fails as planned
mod protection; // slashing protection against a full-history reference
mod random; // reproducible random numbers
mod scratch; // a directory for one test

mod bls; // signatures and their ciphersuite
mod keystores; // EIP-2335 files that must open, and that must not
mod memory; // where secrets are, and where not
mod sources; // layouts, key configurations, reload
mod table; // keys that come and go under load

mod cli; // command lines, environments, files: effective settings or an error
mod service; // health, keys, negotiation, guards, start and end
mod tidy; // the rules of the source
