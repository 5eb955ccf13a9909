//! The end-to-end suite: the real binary over real sockets. One binary, its modules in the order of a
//! request's way.

mod bls;
mod keystores;
mod support;

mod bls; // signatures and their ciphersuite
mod service; // health, keys, negotiation, guards, start and end
mod tidy; // the rules of the source
//! The end-to-end suite: the real binary over real sockets.
mod roots;

mod interchange; // the EIP-3076 suite through import and clear, broken files, export
mod scratch; // a directory for one test

mod http;
mod rig;

mod cli;
