//! The end-to-end suite: the real binary over real sockets.

mod interchange; // the EIP-3076 suite through import and clear, broken files, export
mod scratch; // a directory for one test
