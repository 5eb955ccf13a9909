//! The end-to-end suite: the real binary over real sockets.

mod cli;
mod roots;
mod bls;
mod keystores;
mod http;
mod rig;
