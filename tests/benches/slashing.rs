//! What slashing protection costs: the real server with it and without, under as many connections as
//! keys need; one request alone; and the store without signatures. `cargo bench --bench slashing`
//!
//! The directory for the stores is the first argument, by default the target directory: what is
//! measured is that disk's sync as much as our code.
//!
//! Then the same for PostgreSQL, beside `pgbench` with the statements of Web3Signer: on a server of its own where
//! PostgreSQL is installed, or in `SIGNERD_BENCH_DATABASE=postgresql://USER@HOST:PORT/DATABASE`, a database that
//! is empty or of its own.

#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../support/postgres.rs"]
mod postgres;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use postgres::PostgresServer;
use signerd::consensus::primitives::{Epoch, PublicKey, Root};
use signerd::consensus::slashable::{Slashable, SlashableMessage};
use signerd::slashing::{DatabaseSettings, Protection, ProtectionSettings};

const CONNECTIONS: u64 = 64;
const KEYS: u64 = 1_000;
/// With and without take turns, so that what else the machine does hits both alike.
const ROUNDS: u32 = 5;
const ROUND: Duration = Duration::from_secs(3);

fn main() {
    let parent = env::args_os()
        .nth(1)
        .filter(|argument| argument != "--bench")
        .map(PathBuf::from);
    let parent = parent.unwrap_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).to_owned());
    let directory = parent.join(format!("slashing-bench-{}", std::process::id()));
    let [off, on] = [Store::Off, Store::Directory].map(|store| Server::start(&directory, &store));
    let mut epoch = 1;

    println!("{CONNECTIONS} connections, {KEYS} keys, votes:");
    for (name, alike) in [("a root for each vote", false), ("one root an epoch", true)] {
        let (mut without, mut with) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            without.push(off.load(CONNECTIONS, alike, &mut epoch));
            with.push(on.load(CONNECTIONS, alike, &mut epoch));
        }
        let ratios = with
            .iter()
            .zip(&without)
            .map(|(with, without)| with.per_second / without.per_second);
        let ratio = median(ratios.collect(), |ratio| *ratio);
        let [without, with] = [without, with].map(|rates| median(rates, |rate| rate.per_second));
        println!("  {name}:");
        println!("    off  {without}\n    on   {with}");
        println!(
            "    on/off {ratio:.3}; by CPU alone {:.3}",
            without.cpu_us / with.cpu_us
        );
    }
    println!("one connection, one request at a time:");
    for (name, server) in [("off", &off), ("on ", &on)] {
        println!("    {name}  {}", server.load(1, false, &mut epoch));
    }
    drop((off, on));

    let settings = ProtectionSettings {
        directory: directory.clone(),
        database: None,
        pruning: None,
        min_slot: None,
        min_epoch: None,
        chain: None,
        clock: None,
        has_keys: false,
        replaces_lost_store: false,
    };
    let store = Protection::open(&settings).expect("the server has left it");
    println!("the store alone, without signatures:");
    for callers in [CONNECTIONS, 1] {
        println!(
            "    {callers:>2} callers  {}",
            run(std::process::id(), callers, &mut epoch, |_| {
                |key, epoch| clear(&store, key, epoch)
            })
        );
    }
    drop(store);
    let page = fs::File::create(directory.join("page")).expect("a writable directory");
    let sync = run(std::process::id(), 1, &mut epoch, |_| {
        |_, _| {
            page.write_all_at(&[1; 4096], 0)
                .and_then(|()| page.sync_data())
                .expect("written")
        }
    });
    println!("the disk alone, a page written and synced:\n                {sync}");
    fs::remove_dir_all(&directory).expect("made above");
    measure_postgres(&settings, &mut epoch);
}

/// One vote as Web3Signer records it.
const WEB3SIGNER_VOTE: &str = "\\set v random(1, 1000)
\\set e random(1000000, 2000000000)
BEGIN ISOLATION LEVEL READ COMMITTED;
SELECT pg_advisory_xact_lock(1, :v);
SELECT enabled FROM validators WHERE id = :v;
SELECT high_watermark_epoch, high_watermark_slot FROM metadata WHERE id = 1;
SELECT slot, source_epoch, target_epoch FROM low_watermarks WHERE validator_id = :v;
SELECT 1 FROM signed_attestations WHERE validator_id = :v AND target_epoch = :e;
SELECT 1 FROM signed_attestations WHERE validator_id = :v AND target_epoch = :e AND signing_root IS NULL;
SELECT 1 FROM signed_attestations WHERE validator_id = :v AND source_epoch < :e AND target_epoch > :e LIMIT 1;
SELECT 1 FROM signed_attestations WHERE validator_id = :v AND source_epoch > :e AND target_epoch < :e LIMIT 1;
INSERT INTO signed_attestations (validator_id, source_epoch, target_epoch, signing_root)
    VALUES (:v, :e, :e, '\\x01') ON CONFLICT DO NOTHING;
COMMIT;
";

/// Settings of our own server, which is as safe as one in production.
const SERVER: &str = "fsync = on\nfull_page_writes = on\nmax_connections = 150";

fn measure_postgres(settings: &ProtectionSettings, epoch: &mut u64) {
    let server;
    let url = match env::var("SIGNERD_BENCH_DATABASE") {
        Ok(url) => url,
        Err(_) => {
            let Some(started) = PostgresServer::start(SERVER) else {
                return;
            };
            let database = started.create_database();
            server = started;
            format!("postgresql://postgres@127.0.0.1:{}/{database}", server.port)
        }
    };
    let ours = measure_database(&url, settings, epoch);
    let theirs = measure_web3signer(&url);
    println!(
        "    at 100 in flight {:.1} times as many votes",
        ours / theirs
    );
    measure_cpu(&url, &settings.directory, epoch);
}

/// Returns the votes a second with 100 in flight.
fn measure_database(url: &str, settings: &ProtectionSettings, epoch: &mut u64) -> f64 {
    let database = DatabaseSettings::from_url(url).expect("a URL");
    let store = Protection::open(&ProtectionSettings {
        database: Some(database),
        ..settings.clone()
    })
    .expect("a database that can be used");
    // The first vote of a key costs a second commit, which gives the key its id.
    run(std::process::id(), 100, epoch, |_| {
        |key, epoch| clear(&store, key, epoch)
    });
    println!("PostgreSQL, without signatures:");
    let mut at_100 = 0.0;
    for in_flight in [1, 10, 100, 1_000] {
        let rate = run(std::process::id(), in_flight, epoch, |_| {
            |key, epoch| clear(&store, key, epoch)
        });
        println!("    {in_flight:>4} in flight   {rate}");
        if in_flight == 100 {
            at_100 = rate.per_second;
        }
    }
    at_100
}

/// Returns the most votes a second that up to 100 connections get. Web3Signer's pool has ten by default: more
/// requests wait for them.
fn measure_web3signer(url: &str) -> f64 {
    println!("the statements of Web3Signer, by pgbench:");
    let directory = env::temp_dir().join(format!("web3signer-{}", std::process::id()));
    fs::create_dir(&directory).expect("a temporary directory");
    let script = directory.join("vote.sql");
    fs::write(&script, WEB3SIGNER_VOTE).expect("a temporary file");
    let program = postgres::program("pgbench").unwrap_or_else(|| "pgbench".into());
    let mut most = f64::NAN;
    for connections in [1, 10, 100] {
        let output = Command::new(&program)
            .args(["-n", "-l", "-T", "3", "-j", "2", "-f"])
            .arg(&script)
            .args(["-c", &connections.to_string(), url])
            .current_dir(&directory)
            .output()
            .expect("pgbench runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        // Each line: client, transaction, microseconds, …
        let mut latencies_us = Vec::new();
        for entry in fs::read_dir(&directory).expect("made above") {
            let path = entry.expect("readable").path();
            if path == script {
                continue;
            }
            for line in fs::read_to_string(&path).expect("its log").lines() {
                let us = line.split(' ').nth(2).and_then(|us| us.parse::<u64>().ok());
                latencies_us.push(us.expect("a latency"));
            }
            fs::remove_file(path).expect("ours");
        }
        latencies_us.sort_unstable();
        let at = |hundredths: usize| {
            Duration::from_micros(latencies_us[(latencies_us.len() - 1) * hundredths / 100])
        };
        let per_second = latencies_us.len() as f64 / 3.0;
        println!(
            "    {connections:>4} connections {per_second:>6.0}/s  p50 {:>9.2?}  p99 {:>9.2?}",
            at(50),
            at(99)
        );
        most = most.max(per_second);
    }
    fs::remove_dir_all(directory).expect("made above");
    most
}

/// What a signature costs signerd with the database, beside one with the directory, over HTTP.
fn measure_cpu(url: &str, directory: &Path, epoch: &mut u64) {
    let directory = directory.with_extension("cpu");
    let servers = [Store::Directory, Store::Database(url.to_owned())]
        .map(|store| Server::start(&directory, &store));
    println!("{CONNECTIONS} connections, a root for each vote:");
    let mut rounds = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (server, rates) in servers.iter().zip(&mut rounds) {
            rates.push(server.load(CONNECTIONS, false, epoch));
        }
    }
    let [with_directory, with_database] = rounds.map(|rates| median(rates, |rate| rate.cpu_us));
    println!("    directory {with_directory}\n    database  {with_database}");
    let ratio = with_database.cpu_us / with_directory.cpu_us;
    println!("    CPU of signerd for a signature, database/directory {ratio:.3}");
    drop(servers);
    fs::remove_dir_all(directory).expect("made above");
}

/// A running signer with interop keys.
struct Server {
    process: Child,
    address: String,
    keys: Vec<String>,
}

/// Where a signer keeps what it has signed.
enum Store {
    Off,
    Directory,
    Database(String),
}

impl Server {
    fn start(directory: &Path, store: &Store) -> Self {
        let mut options = Vec::new();
        let (directory, protects) = match store {
            Store::Off => (directory.join("off"), false),
            Store::Directory => (directory.to_owned(), true),
            Store::Database(url) => {
                options.push(format!("--slashing-protection-db-url={url}"));
                (directory.join("database"), true)
            }
        };
        fs::create_dir_all(&directory).expect("the directory is writable");
        let mut process = Command::new(env!("CARGO_BIN_EXE_signerd"))
            .args([
                "--port=0",
                "--metrics-port=0",
                &format!("--interop-keys=0..{KEYS}"),
            ])
            .arg(format!("--slashing-protection-enabled={protects}"))
            .args(options)
            .arg("--data-dir")
            .arg(directory)
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut lines = BufReader::new(process.stderr.take().expect("piped"))
            .lines()
            .map_while(Result::ok);
        let line = lines
            .find(|line| line.contains("signing on http://"))
            .expect("it listens");
        let address = line.rsplit('/').next().expect("an address").to_owned();
        thread::spawn(move || lines.for_each(drop));
        let mut keys = Vec::new();
        while keys.len() < usize::try_from(KEYS).expect("few") {
            thread::sleep(Duration::from_millis(50));
            let answer = Client::connect(&address).ask("GET /api/v1/eth2/publicKeys", "", "]");
            let (_, list) = answer.split_once("\r\n\r\n").expect("a body");
            keys = serde_json::from_str(list).expect("an array of keys");
        }
        Self {
            process,
            address,
            keys,
        }
    }

    /// As many votes as these connections get signed in one [`ROUND`], each with a request in flight.
    fn load(&self, connections: u64, alike: bool, epoch: &mut u64) -> Rate {
        run(self.process.id(), connections, epoch, |_| {
            let mut client = Client::connect(&self.address);
            move |key, epoch| {
                client.vote(
                    &self.keys[usize::try_from(key).expect("few")],
                    key,
                    epoch,
                    alike,
                )
            }
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it ends");
    }
}

struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("it listens");
        stream.set_nodelay(true).expect("TCP");
        Self {
            stream,
            buffer: vec![0; 1 << 17],
        }
    }

    /// The answer to a request, up to what its body ends with.
    fn ask(&mut self, line: &str, body: &str, end: &str) -> String {
        let head = "HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\nContent-Length:";
        let request = format!("{line} {head} {}\r\n\r\n{body}", body.len());
        self.stream.write_all(request.as_bytes()).expect("it reads");
        let mut length = 0;
        while !self.buffer[..length].ends_with(end.as_bytes()) {
            let read = self
                .stream
                .read(&mut self.buffer[length..])
                .expect("it answers");
            assert!(
                read > 0,
                "the connection ends after {}",
                String::from_utf8_lossy(&self.buffer[..length])
            );
            length += read;
        }
        String::from_utf8_lossy(&self.buffer[..length]).into_owned()
    }

    fn vote(&mut self, public_key: &str, key: u64, epoch: u64, alike: bool) {
        let zero = Root::ZERO;
        let body = format!(
            r#"{{"type":"ATTESTATION","fork_info":{{"fork":{{"previous_version":"0x02000000","current_version":
            "0x02000000","epoch":"0"}},"genesis_validators_root":"{zero}"}},"attestation":{{"slot":"{}","index":
            "{}","beacon_block_root":"{zero}","source":{{"epoch":"{}","root":"{zero}"}},"target":{{"epoch":
            "{epoch}","root":"{zero}"}}}}}}"#,
            epoch * 32,
            if alike { 0 } else { key },
            epoch - 1,
        );
        let answer = self.ask(&format!("POST /api/v1/eth2/sign/{public_key}"), &body, "}");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
}

/// Records one vote.
fn clear(store: &Protection, key: u64, epoch: u64) {
    let mut public_key = PublicKey([7; 48]);
    public_key.0[..8].copy_from_slice(&key.to_le_bytes());
    let vote = Slashable::On(
        Root::ZERO,
        SlashableMessage::Vote(Epoch(epoch - 1), Epoch(epoch)),
    );
    store
        .clear(&public_key, &vote, Root([9; 32]))
        .expect("epochs rise");
}

struct Rate {
    per_second: f64,
    cpu_us: f64,
    p50: Duration,
    p99: Duration,
}

/// Calls from so many threads for one [`ROUND`], each with keys of its own; each key's epochs only rise.
/// `caller` makes what a thread calls; the CPU time is that of `process`.
fn run<C: FnMut(u64, u64)>(
    process: u32,
    callers: u64,
    epoch: &mut u64,
    caller: impl Fn(u64) -> C + Sync,
) -> Rate {
    let (latencies, last_epoch) = (Mutex::new(Vec::new()), Mutex::new(*epoch));
    let (begin, cpu) = (Instant::now(), cpu_seconds(process));
    thread::scope(|scope| {
        for number in 0..callers {
            let (latencies, last_epoch, caller, mut epoch) =
                (&latencies, &last_epoch, &caller, *epoch);
            scope.spawn(move || {
                let (mut call, mut mine) = (caller(number), Vec::new());
                let mut keys = (0..KEYS).filter(|key| key % callers == number).cycle();
                let first = number;
                while begin.elapsed() < ROUND {
                    let key = keys.next().expect("a cycle");
                    epoch += u64::from(key == first);
                    let called = Instant::now();
                    call(key, epoch);
                    mine.push(called.elapsed());
                }
                latencies
                    .lock()
                    .expect("no thread panics")
                    .append(&mut mine);
                let mut last = last_epoch.lock().expect("no thread panics");
                *last = epoch.max(*last);
            });
        }
    });
    *epoch = last_epoch.into_inner().expect("no thread panics");
    let (elapsed, cpu) = (begin.elapsed().as_secs_f64(), cpu_seconds(process) - cpu);
    let mut latencies = latencies.into_inner().expect("no thread panics");
    latencies.sort();
    let at = |hundredths: usize| latencies[(latencies.len() - 1) * hundredths / 100];
    let count = latencies.len() as f64;
    Rate {
        per_second: count / elapsed,
        cpu_us: cpu * 1e6 / count,
        p50: at(50),
        p99: at(99),
    }
}

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            per_second,
            cpu_us,
            p50,
            p99,
        } = self;
        write!(
            f,
            "{per_second:>6.0}/s  p50 {p50:>9.2?}  p99 {p99:>9.2?}  {cpu_us:>4.0} us of CPU each"
        )
    }
}

/// User and system time of a process: proc(5), fields 14 and 15, in hundredths of a second.
fn cpu_seconds(process: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("it runs");
    let fields = stat
        .rsplit(')')
        .next()
        .expect("the name is in brackets")
        .split_whitespace();
    fields
        .skip(11)
        .take(2)
        .map(|ticks| ticks.parse::<f64>().expect("a number") / 100.0)
        .sum()
}

fn median<T>(mut values: Vec<T>, by: impl Fn(&T) -> f64) -> T {
    values.sort_by(|one, other| by(one).total_cmp(&by(other)));
    values.swap_remove(values.len() / 2)
}
