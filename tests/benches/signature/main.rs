//! What a signature costs: alone, and in the whole server over loopback, beside blst's own `sign` and
//! compression in the same run, and beside a signer that one writes in an afternoon.
//!
//! ```sh
//! cargo bench --bench signature                        # everything, three minutes
//! cargo bench --bench signature -- only=TEXT           # scenarios with this text in their names
//! cargo bench --bench signature -- json=FILE           # and the figures as JSON (packaging/speed.json)
//! cargo bench --bench signature -- draw=FILE > x.svg   # those figures as a picture (packaging/speed.svg)
//! cargo bench --bench signature -- alone               # without the server
//! cargo bench --bench signature -- flat                # whether keys and connections cost anything
//! ```
//! `SIGNERD_TEST_BINARY` names another build, such as the static one; `SIGNERD_BENCH_DATABASE` a database of
//! another PostgreSQL than the one that is started where Debian's package is installed. CPU time is that of schedstat (all
//! threads of the server), so that the client, which works on the same cores, does not count.

mod afternoon;
mod alone;
mod cpu;
mod draw;
mod loads;
mod report;
mod scenarios;
mod server;
#[path = "../../support/mod.rs"]
mod support;

use std::env;

/// The ciphersuite of Ethereum.
const DST: &[u8] = b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let has = |word: &str| arguments.iter().any(|argument| argument == word);
    let value = |name: &str| {
        arguments
            .iter()
            .find_map(|argument| argument.strip_prefix(name))
    };
    if let Some(keys) = value("keys=") {
        alone::memory_of(keys.parse().expect("a number of keys"));
    } else if has("afternoon") {
        afternoon::serve();
    } else if let Some(file) = value("draw=") {
        draw::print_svg(file);
    } else if has("flat") {
        scenarios::flat().print();
    } else {
        let only = value("only=").unwrap_or_default();
        if only.is_empty() {
            alone::signatures();
        }
        if has("alone") {
            return;
        }
        let report = scenarios::all(only);
        report.print();
        if let Some(file) = value("json=") {
            report.write_json(file);
        }
        if only.is_empty() {
            alone::memory();
        }
    }
}
