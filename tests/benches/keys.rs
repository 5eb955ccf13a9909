//! What keys cost the real binary: their derivation beside OpenSSL's, loading beside the ideal, memory
//! beside its budgets, signatures while keystores load, and a restart from the key cache.
//!
//! ```sh
//! cargo bench --bench keys                    # all but the last, with 16 and 64 keystores of full cost
//! cargo bench --bench keys -- load=200        # loading alone, of so many
//! cargo bench --bench keys -- restart=1000    # the key cache; the first start opens all: minutes
//! cargo bench --bench keys -- restart=1000 in=DIR   # the same; the directory keeps the cache for another run
//! ```
//! `SIGNERD_TEST_BINARY` names another build, such as the static one. Times of this process and of others
//! that are compared are CPU times where they can be: a busy machine then disturbs them less.

#[path = "../support/mod.rs"]
mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use aes::cipher::{KeyIvInit, StreamCipher};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use signerd::keys::keystore::Keystore;
use signerd::keys::seed;

use support::{Scratch, Signer, binary};

const PASSWORD: &str = "one for all of them";
const SALT: [u8; 32] = [0x5a; 32];
/// Of scrypt's n, and of PBKDF2's rounds: what deposit tools write.
const FULL_COST: u32 = 1 << 18;

fn main() {
    println!("{}, {} cores", binary().display(), cores());
    let text = |name: &str| {
        std::env::args().find_map(|argument| Some(argument.strip_prefix(name)?.to_owned()))
    };
    let argument = |name: &str| text(name)?.parse().ok();
    match (argument("load="), argument("restart=")) {
        (Some(keystores), _) => load(keystores),
        (None, Some(keystores)) => restart(keystores, text("in=")),
        (None, None) => {
            derivations();
            load(16);
            memory();
            signatures_while_loading(64);
            println!("the key cache: cargo bench --bench keys -- restart=1000");
        }
    }
}

/// One derivation of each kind, beside the one that Python takes from OpenSSL's libcrypto.
fn derivations() {
    println!("one derivation at full cost, CPU time, median of {DERIVATIONS}:");
    for (name, ours, theirs) in [
        (
            "scrypt",
            scrypt_kdf(),
            "scrypt(p, salt=s, n=262144, r=8, p=1, maxmem=1 << 30, dklen=32)",
        ),
        (
            "pbkdf2",
            pbkdf2_kdf(),
            "pbkdf2_hmac('sha256', p, s, 262144, 32)",
        ),
    ] {
        let keystore = Keystore::parse(keystore(0, &ours).as_bytes()).expect("a keystore");
        let script = format!(
            "import hashlib, time\np, s = {PASSWORD:?}.encode(), bytes.fromhex('{}')\nt = time.process_time()\n\
             hashlib.{theirs}\nprint(time.process_time() - t)",
            const_hex::encode(SALT)
        );
        let (mut of_ours, mut of_openssl) = (Vec::new(), Vec::new());
        for _ in 0..DERIVATIONS {
            of_ours.push(cpu_seconds_of(|| {
                keystore.open(PASSWORD).expect("it opens");
            }));
            let python = Command::new("python3")
                .args(["-c", &script])
                .output()
                .expect("python3 is there");
            of_openssl.push(
                String::from_utf8_lossy(&python.stdout)
                    .trim()
                    .parse()
                    .expect("seconds"),
            );
        }
        let (ours, theirs) = (median(of_ours), median(of_openssl));
        println!(
            "  {name}: {ours:.3} s, OpenSSL {theirs:.3} s, ratio {:.2} (at most 1.15)",
            ours / theirs
        );
    }
}

const DERIVATIONS: usize = 5;

/// Starts the binary with so many keystores, beside one derivation after the other in this process.
fn load(keystores: u32) {
    let scratch = Scratch::new("bench-load");
    write_keystores(&scratch.path().join("keys"), keystores);
    let one = Keystore::parse(keystore(0, &scrypt_kdf()).as_bytes()).expect("a keystore");
    let derive = || {
        one.open(PASSWORD).expect("it opens");
    };
    let (mut alone, mut alone_cpu) = (Vec::new(), Vec::new());
    let mut derive_alone = || {
        for _ in 0..3 {
            let began = Instant::now();
            alone_cpu.push(cpu_seconds_of(derive));
            alone.push(began.elapsed().as_secs_f64());
        }
    };
    derive_alone();
    let began = Instant::now();
    let signer = start(&scratch, &[]);
    wait_loaded(&signer, keystores);
    let (took, cpu) = (began.elapsed().as_secs_f64(), cpu_seconds(signer.pid()));
    derive_alone();
    // As many derivations at once as there are cores: they share caches and memory.
    let at_once = Instant::now();
    thread::scope(|scope| (0..cores()).for_each(|_| drop(scope.spawn(derive))));
    let at_once = at_once.elapsed().as_secs_f64();
    let (alone, alone_cpu, number) = (median(alone), median(alone_cpu), f64::from(keystores));
    let ideal = number * alone / f64::from(cores());
    println!(
        "{keystores} keystores: {took:.2} s, {:.3} of the ideal {ideal:.2} s (at most 1.1)",
        took / ideal
    );
    println!(
        "  CPU: {cpu:.2} s, {:.3} of {number} x {alone_cpu:.3} s",
        cpu / (number * alone_cpu)
    );
    println!(
        "  {} derivations at once take {:.3} of one alone",
        cores(),
        at_once / alone
    );
}

/// Each number of keys in a process that may lock 8 MiB, with its budget.
fn memory() {
    println!("resident memory:");
    for (keys, budget_mib) in [(0, 4.0), (1_000, 5.0), (10_000, 10.0), (100_000, 48.0)] {
        let script = "ulimit -l 8192; if [ $(id -u) = 0 ]; then set -- setpriv --bounding-set=-ipc_lock \"$@\"; fi; exec \"$@\"";
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh"]).arg(binary()).args([
            "--port",
            "0",
            "--metrics-port",
            "0",
        ]);
        if keys > 0 {
            command.args(["--interop-keys", &format!("0..{keys}")]);
        }
        let signer = Signer::spawn(&mut command);
        wait_loaded(&signer, keys);
        let locked = signer.client().get("/health").json()["locked"] == true;
        let resident_mib = signer.memory_kib("VmRSS") as f64 / 1024.0;
        let verdict = if locked {
            "locked within 8 MiB"
        } else {
            "NOT locked"
        };
        println!("  {keys:>7} keys: {resident_mib:5.2} MiB, budget {budget_mib} MiB; {verdict}");
    }
}

/// How long signatures take, over HTTP, one after the other: without and with keystores that load.
fn signatures_while_loading(keystores: u32) {
    let scratch = Scratch::new("bench-signatures");
    fs::create_dir(scratch.path().join("keys")).expect("a directory");
    let quiet = {
        let signer = start(&scratch, &["--interop-keys", "0..1"]);
        wait_loaded(&signer, 1);
        let until = Instant::now() + Duration::from_secs(5);
        latencies_us(&signer, || Instant::now() < until)
    };
    write_keystores(&scratch.path().join("keys"), keystores);
    let signer = start(&scratch, &["--interop-keys", "0..1"]);
    // The interop key comes first.
    while loaded(&signer) == 0 {
        thread::sleep(Duration::from_millis(1));
    }
    let loading = latencies_us(&signer, || !is_loaded(&signer, keystores + 1));
    println!("one signature over HTTP, each with a new root:");
    for (name, latencies_us) in [("quiet", quiet), ("while keystores load", loading)] {
        let at = |per_mille: usize| latencies_us[(latencies_us.len() - 1) * per_mille / 1000];
        println!(
            "  {name:<20} p50 {} µs, p99 {} µs (under 10000), p99.9 {} µs, most {} µs, of {}",
            at(500),
            at(990),
            at(999),
            at(1000),
            latencies_us.len()
        );
    }
}

/// Signs until `go_on` says no, which is asked every hundred signatures; sorted.
fn latencies_us(signer: &Signer, go_on: impl Fn() -> bool) -> Vec<u128> {
    let key = seed::interop(0).expect("locked memory").public_key();
    let path = format!("/api/v1/eth2/sign/{key}");
    let (mut client, mut latencies_us) = (signer.client(), Vec::new());
    for number in 0_u64.. {
        let root = const_hex::encode(Sha256::digest(number.to_le_bytes()));
        let body = json!({"signingRoot": format!("0x{root}"), "domain": "0x02000000"}).to_string();
        let began = Instant::now();
        let answer = client.post(&path, body.as_bytes());
        latencies_us.push(began.elapsed().as_micros());
        assert_eq!(answer.status, 200, "{}", answer.text());
        thread::sleep(Duration::from_millis(1));
        if number % 100 == 99 && !go_on() {
            break;
        }
    }
    latencies_us.sort_unstable();
    latencies_us
}

/// A start from the key cache beside its budgets. The first start opens all keystores, unless `directory` has
/// the cache of an earlier run.
fn restart(keystores: u32, directory: Option<String>) {
    let scratch = Scratch::new("bench-restart");
    let directory = directory.unwrap_or_else(|| scratch.path().display().to_string());
    let one = Path::new(&directory).join("one");
    write_keystores(&one, 1);
    let (_, one_peak_mib) = timed_start(&one, 1, None);
    let all = Path::new(&directory).join("all");
    write_keystores(&all, keystores);
    let cache = Path::new(&directory).join("cache");
    if !cache.exists() {
        let (seconds, _) = timed_start(&all, keystores, Some(&cache));
        println!("{keystores} keystores, the first start: {seconds:.1} s");
    }
    for _ in 0..3 {
        let (seconds, peak_mib) = timed_start(&all, keystores, Some(&cache));
        println!(
            "{keystores} keystores, a start from the cache: {seconds:.2} s  {} (budget {RESTART_SECONDS}), \
             peak {peak_mib:.0} MiB  {} (budget: that of opening one, {one_peak_mib:.0}, and \
             {RESTART_MORE_MIB:.0})",
            verdict(seconds <= RESTART_SECONDS),
            verdict(peak_mib <= one_peak_mib + RESTART_MORE_MIB),
        );
    }
}

/// A start from the cache with 1,000 keystores.
const RESTART_SECONDS: f64 = 2.0;

/// What such a start may take beside the memory of one derivation.
const RESTART_MORE_MIB: f64 = 16.0;

fn verdict(is_met: bool) -> &'static str {
    if is_met { "ok" } else { "over" }
}

/// How long a start takes until all keys are there, and its peak of memory in MiB.
fn timed_start(keys: &Path, keystores: u32, cache: Option<&Path>) -> (f64, f64) {
    let keys = keys.display().to_string();
    let cache = cache.map(|cache| cache.display().to_string());
    let mut arguments = vec![
        "--keystores-path",
        &keys,
        "--keystores-passwords-path",
        &keys,
    ];
    if let Some(cache) = &cache {
        arguments.extend(["--key-cache", cache]);
    }
    let began = Instant::now();
    let signer = Signer::start(&arguments);
    wait_loaded(&signer, keystores);
    let seconds = began.elapsed().as_secs_f64();
    // The cache is written when the last key is there.
    signer.wait_loaded();
    (seconds, signer.memory_kib("VmHWM") as f64 / 1024.0)
}

/// Keystores that take a whole derivation each, although one was enough to make them: they share the
/// password and the salt.
fn write_keystores(directory: &Path, count: u32) {
    if directory.exists() {
        return;
    }
    fs::create_dir_all(directory).expect("a directory");
    let kdf = scrypt_kdf();
    for number in 0..count {
        write_private(
            &directory.join(format!("{number}.json")),
            &keystore(number, &kdf),
        );
        write_private(&directory.join(format!("{number}.txt")), PASSWORD);
    }
}

fn write_private(path: &Path, content: &str) {
    fs::write(path, content).expect("written");
    fs::set_permissions(path, Permissions::from_mode(0o600)).expect("mode 0600");
}

/// The part `kdf` of a keystore, and the key that it derives.
type DerivedKey = (Value, [u8; 32]);

fn scrypt_kdf() -> DerivedKey {
    let mut key = [0; 32];
    let params = scrypt::Params::new(18, 8, 1).expect("usual parameters");
    scrypt::scrypt(PASSWORD.as_bytes(), &SALT, &params, &mut key).expect("32 bytes");
    let params =
        json!({"dklen": 32, "n": FULL_COST, "r": 8, "p": 1, "salt": const_hex::encode(SALT)});
    (json!({"function": "scrypt", "params": params}), key)
}

fn pbkdf2_kdf() -> DerivedKey {
    let mut key = [0; 32];
    pbkdf2::pbkdf2_hmac::<Sha256>(PASSWORD.as_bytes(), &SALT, FULL_COST, &mut key);
    let params =
        json!({"dklen": 32, "c": FULL_COST, "prf": "hmac-sha256", "salt": const_hex::encode(SALT)});
    (json!({"function": "pbkdf2", "params": params}), key)
}

fn keystore(number: u32, (kdf, key): &DerivedKey) -> String {
    let mut secret: [u8; 32] = Sha256::digest(number.to_le_bytes()).into();
    secret[0] &= 0x3f; // Below the order of the curve.
    let half: [u8; 16] = key[..16].try_into().expect("half of 32 bytes");
    ctr::Ctr128BE::<aes::Aes128>::new(&half.into(), &[7; 16].into()).apply_keystream(&mut secret);
    let checksum = Sha256::new()
        .chain_update(&key[16..])
        .chain_update(secret)
        .finalize();
    let hex = |bytes: &[u8]| const_hex::encode(bytes);
    let keystore = json!({
        "crypto": {
            "kdf": kdf,
            "checksum": {"function": "sha256", "params": {}, "message": hex(&checksum)},
            "cipher": {"function": "aes-128-ctr", "params": {"iv": hex(&[7; 16])}, "message": hex(&secret)},
        },
        "path": format!("m/12381/3600/{number}/0/0"),
        "uuid": "00000000-0000-4000-8000-000000000000",
        "version": 4,
    });
    keystore.to_string()
}

/// The binary with the keystores of this directory.
fn start(scratch: &Scratch, more: &[&str]) -> Signer {
    let keys = scratch.path().join("keys").display().to_string();
    Signer::start(
        &[
            &[
                "--keystores-path",
                &keys,
                "--keystores-passwords-path",
                &keys,
            ],
            more,
        ]
        .concat(),
    )
}

fn wait_loaded(signer: &Signer, keys: u32) {
    while !is_loaded(signer, keys) {
        thread::sleep(Duration::from_millis(5));
    }
}

fn is_loaded(signer: &Signer, keys: u32) -> bool {
    let answer = signer.client().get("/healthcheck");
    let data = &answer.json()["checks"][1]["checks"][0]["data"];
    assert_eq!(data["error-count"], 0, "{}", answer.text());
    data["loading"] == false && data["keys-loaded"] == keys
}

fn loaded(signer: &Signer) -> u64 {
    let answer = signer.client().get("/health").json();
    answer["keys_loaded"].as_u64().expect("a number")
}

/// User and system time of a process so far.
fn cpu_seconds(process: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("the process runs");
    let (_, fields) = stat.rsplit_once(')').expect("proc(5)");
    let ticks = fields.split_whitespace().skip(11).take(2);
    // The kernel reports in hundredths of a second on every Linux that we know.
    ticks
        .map(|ticks| ticks.parse::<f64>().expect("a number"))
        .sum::<f64>()
        / 100.0
}

/// CPU time that this thread takes for it.
fn cpu_seconds_of(work: impl FnOnce()) -> f64 {
    let now = || {
        let text = fs::read_to_string(Path::new("/proc/thread-self/schedstat")).expect("proc(5)");
        text.split(' ')
            .next()
            .and_then(|text| text.parse::<f64>().ok())
            .expect("nanoseconds")
            / 1e9
    };
    let before = now();
    work();
    now() - before
}

fn cores() -> u32 {
    thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(1))
}

fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}
