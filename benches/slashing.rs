//! What slashing protection costs: signatures with it and without, by as many callers as there are
//! connections, and the latency of one record alone. `cargo bench --bench slashing`
//!
//! The directory for the store is the first argument, by default the target directory: what is
//! measured is that disk's sync as much as our code.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use signerd::consensus::primitives::{Epoch, PublicKey, Root};
use signerd::consensus::slashable::{Message, Slashable};
use signerd::slashing::{Floor, Protection, Settings};

const THREADS: u64 = 64;
const KEYS: u64 = 1_000;
/// With and without take turns, so that what else the machine does hits both alike.
const ROUNDS: u32 = 5;
const ROUND: Duration = Duration::from_secs(2);
const ALONE: u32 = 300;

fn main() {
    let parent = env::args_os().nth(1).filter(|argument| argument != "--bench").map(PathBuf::from);
    let parent = parent.unwrap_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).to_owned());
    let directory = parent.join(format!("slashing-bench-{}", std::process::id()));
    fs::create_dir(&directory).expect("the directory is writable");
    let settings = Settings {
        directory: directory.clone(),
        block_floor: Floor::Set(0),
        vote_floor: Floor::Set(0),
        chain: None,
    };
    let on = Protection::open(&settings).expect("an empty directory");

    let mut epoch = 1;
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        without.push(run(&Protection::Off, true, &mut epoch));
        with.push(run(&on, true, &mut epoch));
    }
    let (with, without) = (median(with), median(without));
    println!("{THREADS} threads, {KEYS} keys, clear and sign:");
    println!("  off  {:>6.0}/s  {:>4.0} us of CPU each", without.per_second, without.cpu_us);
    println!("  on   {:>6.0}/s  {:>4.0} us of CPU each", with.per_second, with.cpu_us);
    let cpu = without.cpu_us / with.cpu_us;
    println!("  on/off {:.3}; by CPU alone {cpu:.3}", with.per_second / without.per_second);
    let clear = run(&on, false, &mut epoch);
    println!("clear only, on: {:.0}/s  p50 {:?}  p99 {:?}", clear.per_second, clear.p50, clear.p99);
    let alone = alone(&on, &mut epoch);
    println!("one thread, clear only, on: p50 {:?}  p99 {:?}", alone.p50, alone.p99);
    println!("  group commit: {:.1} times one commit a request", clear.per_second / alone.per_second);
    drop(on);
    fs::remove_dir_all(directory).expect("made above");
}

struct Rate {
    per_second: f64,
    cpu_us: f64,
    p50: Duration,
    p99: Duration,
}

/// As many votes as [`THREADS`] threads get signed in one [`ROUND`]; each key's epochs only rise.
fn run(protection: &Protection, sign: bool, epoch: &mut u64) -> Rate {
    let latencies = Mutex::new(Vec::new());
    let (begin, cpu) = (Instant::now(), cpu_seconds());
    let first_epoch = *epoch;
    let rounds = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let latencies = &latencies;
                scope.spawn(move || {
                    let secret = secret(thread);
                    let (mut mine, mut epoch) = (Vec::new(), first_epoch);
                    while begin.elapsed() < ROUND {
                        for key in (0..KEYS).filter(|key| key % THREADS == thread) {
                            mine.push(clear(protection, key, epoch, sign.then_some(&secret)));
                        }
                        epoch += 1;
                    }
                    latencies.lock().expect("no thread panics").append(&mut mine);
                    epoch
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no thread panics")).max()
    });
    *epoch = rounds.unwrap_or(first_epoch);
    rate(latencies.into_inner().expect("no thread panics"), begin.elapsed(), cpu_seconds() - cpu)
}

/// One request after the other, as a validator client with one key makes them.
fn alone(protection: &Protection, epoch: &mut u64) -> Rate {
    let (begin, cpu) = (Instant::now(), cpu_seconds());
    let latencies = (0..ALONE).map(|_| {
        *epoch += 1;
        clear(protection, 0, *epoch, None)
    });
    let latencies = latencies.collect();
    rate(latencies, begin.elapsed(), cpu_seconds() - cpu)
}

/// The time that one clearance takes, and, if there is a key, a signature follows it.
fn clear(
    protection: &Protection,
    key: u64,
    epoch: u64,
    secret: Option<&blst::min_pk::SecretKey>,
) -> Duration {
    let mut public_key = PublicKey([7; 48]);
    public_key.0[..8].copy_from_slice(&key.to_le_bytes());
    let mut root = Root([9; 32]);
    root.0[..8].copy_from_slice(&epoch.to_le_bytes());
    root.0[8..16].copy_from_slice(&key.to_le_bytes());
    let vote = Slashable::On(Root::ZERO, Message::Vote(Epoch(epoch - 1), Epoch(epoch)));
    let begin = Instant::now();
    let cleared = protection.clear(&public_key, &vote, root).expect("epochs rise");
    let latency = begin.elapsed();
    if let Some(secret) = secret {
        std::hint::black_box(secret.sign(cleared.root().as_ref(), b"bench", &[]));
    }
    latency
}

fn secret(seed: u64) -> blst::min_pk::SecretKey {
    let mut material = [1; 32];
    material[..8].copy_from_slice(&seed.to_le_bytes());
    blst::min_pk::SecretKey::key_gen(&material, &[]).expect("32 bytes are enough")
}

fn rate(mut latencies: Vec<Duration>, elapsed: Duration, cpu_seconds: f64) -> Rate {
    latencies.sort();
    let at = |hundredths: usize| latencies[(latencies.len() - 1) * hundredths / 100];
    let count = latencies.len() as f64;
    let (per_second, cpu_us) = (count / elapsed.as_secs_f64(), cpu_seconds * 1e6 / count);
    Rate { per_second, cpu_us, p50: at(50), p99: at(99) }
}

/// User and system time of this process: proc(5), fields 14 and 15, in hundredths of a second.
fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields = stat.rsplit(')').next().expect("the name is in brackets").split_whitespace();
    fields.skip(11).take(2).map(|ticks| ticks.parse::<f64>().expect("a number") / 100.0).sum()
}

fn median(mut rates: Vec<Rate>) -> Rate {
    rates.sort_by(|one, other| one.per_second.total_cmp(&other.per_second));
    rates.swap_remove(rates.len() / 2)
}
