//! The rim: sockets, coroutines, TLS, deadlines, threads, signals.
