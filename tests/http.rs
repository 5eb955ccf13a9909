//! HTTP/1.1 as the RFCs ask it, over real sockets.

use signerd::server::Limits;

use crate::rig::{RUNTIMES, Rig};

#[test]
fn smoke() {
    for runtime in RUNTIMES {
        let rig = Rig::start(runtime, Limits::default());
        for raw in [
            "GET /upcheck HTTP/1.1\r\nHost: a\r\n\r\nGET /upcheck HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST /x?y HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            "GET /panic HTTP/1.1\r\nHost: a\r\n\r\nGET /wait HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/2.0\r\n\r\n",
        ] {
            println!("{}\n---", rig.exchange(raw.as_bytes()));
        }
        assert!(rig.running.stop());
    }
}
