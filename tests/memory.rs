//! Where secrets lie: in locked pages between guard pages, out of core dumps, and nowhere else.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use signerd::hex;

use crate::slashing::{ZERO, fork_info};
use crate::support::{Scratch, Signer, vectors};

/// One mapping of a process (proc_pid_smaps(5)).
pub(crate) struct Mapping {
    start: usize,
    end: usize,
    permissions: String,
    flags: Vec<String>,
}

impl Mapping {
    fn is_locked(&self) -> bool {
        self.flags.iter().any(|flag| flag == "lo")
    }
}

fn mappings(process: &str) -> Vec<Mapping> {
    let text = fs::read_to_string(format!("/proc/{process}/smaps")).unwrap();
    let mut mappings = Vec::new();
    for line in text.lines() {
        let (word, rest) = line.split_once(' ').unwrap();
        if word == "VmFlags:" {
            let last: &mut Mapping = mappings.last_mut().unwrap();
            last.flags = rest.split_whitespace().map(str::to_owned).collect();
        } else if let Some((start, end)) = word.split_once('-') {
            let [start, end] =
                [start, end].map(|number| usize::from_str_radix(number, 16).unwrap());
            mappings.push(Mapping {
                start,
                end,
                permissions: rest[..4].to_owned(),
                flags: Vec::new(),
            });
        }
    }
    mappings
}

/// A program where only so much memory can be locked; root may lock more than the limit allows unless
/// that capability is dropped.
pub(crate) fn with_locked_memory_of(limit_kib: &str, program: &Path) -> Command {
    let script = "ulimit -l $1; shift; if [ $(id -u) = 0 ]; then set -- setpriv --bounding-set=-ipc_lock \"$@\"; fi; exec \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh", limit_kib]).arg(program);
    command
}

/// Looks for secrets in everything that can be read of the running program: first where all keystores
/// are opened and sealed, then where they come out of the key cache. Needs root, for nobody else can look
/// into it.
#[test]
fn secrets_lie_in_the_arena_alone_and_are_gone_after_deletion() {
    let scratch = Scratch::new("secrets");
    let read = ["scrypt-cheap", "password-unicode"].map(Keystore::new);
    let imported = ["pbkdf2-cheap", "password-spaces-kept"].map(Keystore::new);
    let arguments = write_sources(&scratch, &read);
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let given = ["--auth-token-file", &scratch.write("token", TOKEN)];
    let read_cache = || fs::read_to_string(scratch.path().join("cache")).unwrap();
    for (start, token_file) in [
        ("the first start", &given[..]),
        ("a start from the key cache", &[]),
    ] {
        let mut signer = Signer::start(&[&arguments, token_file].concat());
        signer.wait_loaded();
        if start == "the first start" {
            signer.wait_for_line("2 keys sealed for the next start");
        }
        let token = match token_file {
            [] => fs::read_to_string(scratch.path().join("data/api-token.txt"))
                .unwrap()
                .trim()
                .to_owned(),
            _ => TOKEN.to_owned(),
        };
        let sealed_at_start = read_cache();
        let key_manager = |signer: &Signer, method, body: &Value| {
            let (authorization, body) = (format!("Bearer {token}"), body.to_string());
            let headers = [("Authorization", authorization.as_str())];
            let answer =
                signer
                    .client()
                    .request(method, "/eth/v1/keystores", &headers, body.as_bytes());
            assert_eq!(answer.status, 200, "{}", answer.text());
            answer.json()["data"].clone()
        };
        let keystores: Vec<_> = imported.iter().map(|keystore| &keystore.json).collect();
        let passwords: Vec<_> = imported.iter().map(|keystore| &keystore.password).collect();
        let statuses = key_manager(
            &signer,
            "POST",
            &json!({"keystores": keystores, "passwords": passwords}),
        );
        assert_eq!(
            statuses,
            json!([{"status": "imported"}, {"status": "imported"}])
        );
        signer.wait_for_line("4 keys sealed for the next start");
        let written_anew = signer.log().contains("2 keys sealed");
        assert_eq!(
            written_anew,
            start == "the first start",
            "a cache that fits is left alone"
        );
        let all = || read.iter().chain(&imported);
        all().for_each(|keystore| keystore.sign(&signer, &token));

        let Some(memory) = Memory::of(&signer) else {
            println!(
                "skipped: only root can look into the memory of a process that refuses to be traced"
            );
            return;
        };
        let [parent, derived] = of_phrase();
        let text = |what: &str, text: &str| (what.to_owned(), text.as_bytes().to_vec());
        let mut needles = halves("the parent of the phrase's keys", parent);
        let at_start: Vec<_> = read.iter().collect();
        for (cache, keystores) in [(sealed_at_start, at_start), (read_cache(), all().collect())] {
            needles.extend(halves(
                "the key of the cache",
                sealing_key(&cache, keystores),
            ));
        }
        needles.extend([text("the token", &token), text("the phrase", PHRASE)]);
        needles.extend([
            text("the bare key's hex", &RAW[..32]),
            text("the bare key's hex", &RAW[32..]),
        ]);
        needles.extend(all().map(|keystore| text(&keystore.name, &keystore.password)));
        assert_eq!(
            memory.search(&needles),
            [] as [String; 0],
            "nobody needs these any more, {start}"
        );
        let raw = hex::decode(RAW).unwrap();
        let others = [
            halves("the phrase's key", derived),
            halves("the bare key", raw),
        ];
        for scalar in all().map(Keystore::halves).chain(others) {
            let found = memory.search(&scalar);
            let in_arena = found.iter().all(|place| place.ends_with(ARENA));
            assert!(found.len() == 2 && in_arena, "{start}: {found:?}");
        }

        let public_keys: Vec<_> = imported
            .iter()
            .map(|keystore| &keystore.public_key)
            .collect();
        let statuses = key_manager(&signer, "DELETE", &json!({"pubkeys": public_keys}));
        assert_eq!(
            statuses,
            json!([{"status": "deleted"}, {"status": "deleted"}])
        );
        let memory = Memory::of(&signer).unwrap();
        for keystore in &imported {
            assert_eq!(
                memory.search(&keystore.halves()),
                [] as [String; 0],
                "after its deletion, {start}"
            );
        }
        for keystore in &read {
            assert_eq!(
                memory.search(&keystore.halves()).len(),
                2,
                "the others stay"
            );
        }
        while read_cache().matches("\"file\"").count() != 2 {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn the_program_leaves_no_core_dump_and_says_truly_how_much_it_locks() {
    let signer = Signer::start(&["--interop-keys", "0..1"]);
    signer.wait_loaded();
    let file = |name| fs::read_to_string(format!("/proc/{}/{name}", signer.pid())).unwrap();
    let words_of = |text: &str, begin: &str| {
        let line = text.lines().find(|line| line.starts_with(begin)).unwrap();
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        words_of(&file("limits"), "Max core file size")[4..6],
        ["0", "0"],
        "soft and hard limit"
    );
    let locked_kib: usize = words_of(&file("status"), "VmLck:")[1].parse().unwrap();
    assert_eq!(
        signer.client().get("/health").json()["locked"],
        locked_kib >= 64
    );
}

/// The options for a start with these keystores, a key of a phrase, a bare key, a key cache, and a data
/// directory to import others into.
fn write_sources(scratch: &Scratch, keystores: &[Keystore]) -> Vec<String> {
    for keystore in keystores {
        scratch.write(&format!("keys/{}.json", keystore.name), &keystore.json);
        scratch.write(
            &format!("passwords/{}.txt", keystore.name),
            &keystore.password,
        );
    }
    let phrase = scratch.write("phrase.txt", PHRASE);
    scratch.write(
        "configs/key.yaml",
        format!("type: file-raw\nkeyType: BLS\nprivateKey: \"0x{RAW}\"\n"),
    );
    let path = |name| scratch.path().join(name).display().to_string();
    fs::DirBuilder::new()
        .mode(0o700)
        .create(path("data"))
        .unwrap();
    let options = [
        ("--data-dir", path("data")),
        ("--keystores-path", path("keys")),
        ("--keystores-passwords-path", path("passwords")),
        ("--key-config-path", path("configs")),
        ("--key-cache", path("cache")),
        ("--mnemonic-file", phrase),
        ("--key-range", "0..1".to_owned()),
    ];
    options
        .into_iter()
        .flat_map(|(name, value)| [name.to_owned(), value])
        .collect()
}

/// The key that a cache is sealed under: scrypt, as in the most expensive keystore, of the sorted hashes of the
/// passwords.
fn sealing_key(cache: &str, keystores: Vec<&Keystore>) -> [u8; 32] {
    let kdf = &serde_json::from_str::<Value>(cache).unwrap()["kdf"];
    assert_eq!(kdf["function"], "scrypt");
    assert_eq!(kdf["params"]["r"], 8);
    let log_n = kdf["params"]["n"].as_u64().unwrap().ilog2();
    let log_n = u8::try_from(log_n).unwrap();
    let salt = kdf["params"]["salt"].as_str().unwrap().to_owned();
    let mut hashes: Vec<[u8; 32]> = keystores
        .iter()
        .map(|keystore| Sha256::digest(&keystore.password).into())
        .collect();
    hashes.sort_unstable();
    let (salt, mut key): ([u8; 32], _) = (hex::decode(&salt).unwrap(), [0; 32]);
    let params = scrypt::Params::new(log_n, 8, 1).unwrap();
    scrypt::scrypt(hashes.as_flattened(), &salt, &params, &mut key).unwrap();
    key
}

/// One of the EIP-2335 vectors.
struct Keystore {
    name: String,
    json: String,
    password: String,
    public_key: String,
    secret: [u8; 32],
}

impl Keystore {
    fn new(name: &str) -> Self {
        let cases = fs::read(vectors::path("eip2335/cases.json")).unwrap();
        let cases: Vec<Value> = serde_json::from_slice(&cases).unwrap();
        let case = cases.iter().find(|case| case["name"] == name).unwrap();
        let file =
            |end| fs::read_to_string(vectors::path(&format!("eip2335/{name}.{end}"))).unwrap();
        Self {
            name: name.to_owned(),
            json: file("json"),
            password: file("txt"),
            public_key: format!(
                "0x{}",
                case["pubkey"].as_str().unwrap().trim_start_matches("0x")
            ),
            secret: hex::decode(case["secret"].as_str().unwrap()).unwrap(),
        }
    }

    /// A RANDAO reveal.
    fn sign(&self, signer: &Signer, token: &str) {
        let body = json!({
            "type": "RANDAO_REVEAL",
            "fork_info": fork_info(ZERO),
            "randao_reveal": {"epoch": "0"},
        });
        let path = format!("/api/v1/eth2/sign/{}", self.public_key);
        let authorization = format!("Bearer {token}");
        let headers = [("Authorization", authorization.as_str())];
        let answer = signer
            .client()
            .request("POST", &path, &headers, body.to_string().as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    fn halves(&self) -> Vec<(String, Vec<u8>)> {
        halves(&self.name, self.secret)
    }
}

/// Both halves of a scalar in both byte orders: a part is a leak as well.
fn halves(name: &str, mut scalar: [u8; 32]) -> Vec<(String, Vec<u8>)> {
    let mut needles = Vec::new();
    for order in ["big-endian", "little-endian"] {
        needles.extend(
            scalar
                .chunks(16)
                .map(|half| (format!("{name}, {order}"), half.to_vec())),
        );
        scalar.reverse();
    }
    needles
}

/// The token of all routes.
const TOKEN: &str = "63a58bd7e9f04c21-dd1e4ba0c5f76a92";

/// A bare key.
const RAW: &str = "1f7c40d28ae95b3366d1f0a7925cbe481d3e6fa5b2089c74e1d5370fa86b924c";

/// The phrase that one more key is derived from.
const PHRASE: &str = "legal winner thank year wave sausage worth useful legal winner thank yellow";

/// The scalars of `m/12381/3600` and `m/12381/3600/0/0/0` (EIP-2334).
fn of_phrase() -> [[u8; 32]; 2] {
    let seed = bip39::Mnemonic::parse(PHRASE).unwrap().to_seed("");
    let master = blst::min_pk::SecretKey::derive_master_eip2333(&seed).unwrap();
    let parent = master
        .derive_child_eip2333(12_381)
        .derive_child_eip2333(3_600);
    let key = parent
        .derive_child_eip2333(0)
        .derive_child_eip2333(0)
        .derive_child_eip2333(0);
    [parent.to_bytes(), key.to_bytes()]
}

/// What a found needle says when it lies in locked memory.
const ARENA: &str = "in the arena";

/// All that can be read of a process.
pub(crate) struct Memory(Vec<(Mapping, Vec<u8>)>);

impl Memory {
    /// `None` when the system refuses to show it.
    pub(crate) fn of(signer: &Signer) -> Option<Self> {
        let process = signer.pid().to_string();
        let mut file = match File::open(format!("/proc/{process}/mem")) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return None,
            file => file.unwrap(),
        };
        let mut contents = Vec::new();
        for mapping in mappings(&process) {
            let mut bytes = vec![0; mapping.end - mapping.start];
            // The kernel's own mappings are listed and cannot be read: they have no position in the file.
            let read = mapping.permissions.starts_with('r')
                && file.seek(SeekFrom::Start(mapping.start as u64)).is_ok()
                && file.read_exact(&mut bytes).is_ok();
            if read {
                contents.push((mapping, bytes));
            }
        }
        Some(Self(contents))
    }

    /// Where any of the needles lies.
    pub(crate) fn search(&self, needles: &[(String, Vec<u8>)]) -> Vec<String> {
        let mut begins = vec![false; 1 << 16];
        needles.iter().for_each(|(_, needle)| {
            begins[usize::from(u16::from_le_bytes([needle[0], needle[1]]))] = true
        });
        let mut found = Vec::new();
        for (mapping, bytes) in &self.0 {
            for (place, pair) in bytes.windows(2).enumerate() {
                if !begins[usize::from(u16::from_le_bytes([pair[0], pair[1]]))] {
                    continue;
                }
                let here = needles
                    .iter()
                    .filter(|(_, needle)| bytes[place..].starts_with(needle));
                found.extend(here.map(|(what, _)| {
                    let where_ = if mapping.is_locked() {
                        ARENA
                    } else {
                        &mapping.permissions
                    };
                    format!("{what} at {:#x} {where_}", mapping.start + place)
                }));
            }
        }
        found
    }
}
