//! The end-to-end suite: the real binary over real sockets. One binary, its modules in the order of a
//! request's way.

mod bls;
mod cli;
mod http;
mod keystores;
mod rig;
mod roots;
mod support;

mod http; // bytes in, bytes out: framing, limits, deadlines, on coroutines and on threads
mod rig; // a server with a small service, for the suite above

mod bls; // signatures and their ciphersuite
mod interchange; // the EIP-3076 suite through import and clear, broken files, export
mod keystores;
mod roots; // every good request's signing root, every bad one's refusal
mod scratch; // a directory for one test // EIP-2335 files that must open, and that must not

mod bls;
mod cli; // command lines, environments, files: effective settings or an error
mod cli;
mod http;
mod interchange; // the EIP-3076 suite through import and clear, broken files, export
mod keystores; // EIP-2335
mod memory;
mod rig;
mod roots;
mod scratch; // a directory for one test
mod service; // health, keys, negotiation, guards, start and end
mod service; // health, keys, negotiation, guards, start and end
mod sources; // layouts, key configurations, reload
mod table;
mod tidy; // the rules of the source
mod tidy; // the rules of the source
