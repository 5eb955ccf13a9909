//! The end-to-end suite: the real binary over real sockets. One binary, its modules in the order of a
//! request's way.

mod bls;
mod keystores;
mod support;

mod bls; // signatures and their ciphersuite
mod service; // health, keys, negotiation, guards, start and end
mod tidy; // the rules of the source
