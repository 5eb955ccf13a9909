//! The end-to-end suite: the real binary over real sockets.

mod bls;
mod cli;
mod http;
mod keystores;
mod rig;
mod roots;
