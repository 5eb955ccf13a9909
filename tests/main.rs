//! The end-to-end suite: the real binary over real sockets. One binary, its modules in the order of a
//! request's way.

mod support;

mod http; // bytes in, bytes out: framing, limits, deadlines, on coroutines and on threads
mod rig; // a server with a small service, for the suite above

mod bls; // signatures and their ciphersuite
mod interchange; // the EIP-3076 suite through import and clear, broken files, export
mod keystores;
mod memory; // where secrets lie, and where not
mod roots; // every good request's signing root, every bad one's refusal
mod scratch;
mod table; // which keys there are, and that deletion is final // a directory for one test // EIP-2335 files that must open, and that must not

mod cli; // command lines, environments, files: effective settings or an error
mod service; // health, keys, negotiation, guards, start and end
mod tidy; // the rules of the source
