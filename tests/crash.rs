//! The signer killed at random moments under load, again and again: among all signatures that any
//! client received there is no slashable pair.
//!
//! `SIGNERD_CRASH_KILLS=500 cargo test --test main crash` runs longer than the default.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{env, thread};

use signerd::consensus::primitives::{Epoch, PublicKey, Root, Slot};
use signerd::consensus::slashable::SlashableMessage;

use crate::random::Random;
use crate::slashing::{ZERO, block, vote};
use crate::slashing_reference::is_slashable;
use crate::support::client::Client;
use crate::support::{Scratch, Signer, binary};

const KILLS: u64 = 20;
const CONNECTIONS: u64 = 32;
const KEYS: usize = 8;
/// So many of those signed last are contradicted after each restart; after the last one, all are.
const REPLAYED: usize = 50;

/// A message, its signing root's stand-in, and whose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Asked {
    key: PublicKey,
    message: SlashableMessage,
    root: Root,
}

#[test]
fn no_slashable_pair_leaves_a_signer_that_is_killed_again_and_again() {
    let kills = env::var("SIGNERD_CRASH_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let scratch = Scratch::new("crash");
    let directory = scratch.path().to_str().unwrap();
    let options = ["--interop-keys", "0..8", "--data-dir", directory];
    let mut random = Random::new(kills);
    let (mut signed, mut cut) = (Vec::new(), 0);
    // Time goes on while the signer does not: what is asked moves up with every answer.
    let clock = AtomicU64::new(0);
    let begin = Instant::now();
    for kill in 0..kills {
        if random.below(8) == 0 {
            kill_at_start(&options, &mut random);
        }
        let signer = Signer::start(&options);
        signer.wait_loaded();
        let keys = signer.client().get("/api/v1/eth2/publicKeys").json();
        let keys: Vec<PublicKey> = serde_json::from_value(keys).unwrap();
        assert_eq!(keys.len(), KEYS);
        contradict(&signer, signed.iter().rev().take(REPLAYED));
        let answers = thread::scope(|scope| {
            let clients: Vec<_> = (0..CONNECTIONS)
                .map(|client| {
                    let (address, keys, clock) = (&signer.address, &keys, &clock);
                    let random = Random::new(kill * CONNECTIONS + client);
                    scope.spawn(move || ask_until_it_dies(address, keys, clock, random))
                })
                .collect();
            thread::sleep(Duration::from_micros(random.below(60_000)));
            signer.signal("KILL");
            clients
                .into_iter()
                .map(|client| client.join().unwrap())
                .collect::<Vec<_>>()
        });
        cut += answers.iter().filter(|(_, cut)| *cut).count();
        signed.extend(answers.into_iter().flat_map(|(signed, _)| signed));
    }
    contradict(&Signer::start(&options), signed.iter());
    let pairs = assert_no_slashable_pair(&signed);
    let seconds = begin.elapsed().as_secs();
    println!(
        "{kills} kills, {} signatures, {pairs} pairs, {cut} requests cut off, {seconds} s",
        signed.len()
    );
    assert!(
        cut as u64 > kills && signed.len() as u64 > kills * 10,
        "too little load"
    );
}

/// A process that ends while it opens its store.
fn kill_at_start(options: &[&str], random: &mut Random) {
    let mut command = Command::new(binary());
    command
        .args(["--port", "0", "--metrics-port", "0"])
        .args(options)
        .stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    thread::sleep(Duration::from_micros(random.below(30_000)));
    child.kill().unwrap();
    child.wait().unwrap();
}

/// What was signed on one connection, and whether its end came in the middle of a request.
fn ask_until_it_dies(
    address: &str,
    keys: &[PublicKey],
    clock: &AtomicU64,
    mut random: Random,
) -> (Vec<Asked>, bool) {
    let mut signed = Vec::new();
    let Some(mut client) = Client::try_connect(address) else {
        return (signed, false);
    };
    loop {
        let now = clock.fetch_add(1, Ordering::Relaxed) / CONNECTIONS;
        let mut near = || 1 + now + random.below(3);
        let (source, target) = (near(), near());
        let message = match random.below(2) {
            0 => SlashableMessage::Block(Slot(target)),
            _ => SlashableMessage::Vote(Epoch(source.min(target)), Epoch(source.max(target))),
        };
        let key = keys[usize::try_from(random.below(keys.len() as u64)).unwrap()];
        let asked = Asked {
            key,
            message,
            root: Root([u8::from(random.below(2) == 0); 32]),
        };
        match sign(&mut client, asked) {
            Some(true) => signed.push(asked),
            Some(false) => {}
            None => return (signed, true),
        }
    }
}

/// Whether it was signed; `None` when the connection ended before the answer.
fn sign(client: &mut Client, Asked { key, message, root }: Asked) -> Option<bool> {
    let request = match message {
        SlashableMessage::Block(slot) => block(ZERO, &slot.to_string(), &root.to_string()),
        SlashableMessage::Vote(source, target) => vote(
            ZERO,
            &source.to_string(),
            &target.to_string(),
            &root.to_string(),
        ),
    };
    let answer = client.try_post(
        &format!("/api/v1/eth2/sign/{key}"),
        request.to_string().as_bytes(),
    )?;
    assert!([200, 412].contains(&answer.status), "{}", answer.text());
    assert_eq!(
        answer.text().starts_with("{\"signature\":\"0x"),
        answer.status == 200,
        "{}",
        answer.text()
    );
    Some(answer.status == 200)
}

/// What contradicts a signed message is refused: another root, a vote around it, a vote inside of it.
fn contradict<'a>(signer: &Signer, signed: impl Iterator<Item = &'a Asked>) {
    signer.wait_loaded();
    let mut client = signer.client();
    for asked in signed {
        let [Root([digit, ..])] = [asked.root];
        let mut conflicts = vec![Asked {
            root: Root([1 - digit; 32]),
            ..*asked
        }];
        if let SlashableMessage::Vote(Epoch(source), Epoch(target)) = asked.message {
            let votes = [
                (source - 1, target + 1),
                (source + 1, target.saturating_sub(1)),
            ];
            let votes =
                votes.map(|(source, target)| SlashableMessage::Vote(Epoch(source), Epoch(target)));
            conflicts.extend(votes.map(|message| Asked { message, ..*asked }));
        }
        for conflict in conflicts {
            assert_eq!(
                sign(&mut client, conflict),
                Some(false),
                "{conflict:?} after {asked:?}"
            );
        }
    }
}

/// Compares each signature of a key with each other, and gives the number of pairs.
fn assert_no_slashable_pair(signed: &[Asked]) -> usize {
    let (mut keys, mut pairs) = (BTreeMap::<PublicKey, Vec<_>>::new(), 0);
    for asked in signed {
        let one = (asked.message, Some(asked.root));
        let others = keys.entry(asked.key).or_default();
        for other in others.iter() {
            assert!(
                !is_slashable(&one, other),
                "{one:?} and {other:?} by {}",
                asked.key
            );
        }
        pairs += others.len();
        others.push(one);
    }
    pairs
}
