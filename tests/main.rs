//! The end-to-end suite: the real binary over real sockets. One binary, its modules in the order of a
//! request's way.

mod support;

mod bls; // signatures and their ciphersuite
mod cli;
mod http;
mod interchange; // the EIP-3076 suite through import and clear, broken files, export
mod keystores; // EIP-2335
mod rig;
mod roots;
mod scratch; // a directory for one test
mod service; // health, keys, negotiation, guards, start and end
mod sources; // layouts, key configurations, reload
mod tidy; // the rules of the source
