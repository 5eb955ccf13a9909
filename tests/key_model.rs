//! Thousands of random file operations, reloads, imports, deletions, restarts and kills, beside a plain model
//! of the law of a key's life: after each settling the list, the health and the signatures are the model's.
//!
//! The model knows files and what is in them; it knows nothing of tables, tasks or threads. The law:
//! a source stands for the key that was found when it was opened; a key signs while one source holds it;
//! what cannot be read or understood keeps the key of before.
//!
//! `SIGNERD_MODEL_SECONDS=3600 SIGNERD_MODEL_SEED=7 cargo test --test main key_model` runs longer than the
//! default, from another seed.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::key_life::{files_named, health, listed, reload};
use crate::keymanager::{Manager, keystore, statuses};
use crate::random::Random;
use crate::support::Scratch;

const KEYS: u32 = 200;
const SECONDS: u64 = 60;

/// What a keystore's file is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    /// The keystore of this key, with or without its public key in it.
    Keystore { key: u32, is_declared: bool },
    /// Cut off in the middle.
    Truncated,
    /// A symbolic link to nothing.
    Dangling,
}

/// What a password's file is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Password {
    Right,
    Wrong,
    /// Others can read it.
    Open,
}

#[derive(Clone, Copy, Debug)]
struct ModelFile {
    content: Content,
    password: Password,
    /// Changes whenever the keystore's file changes.
    version: u64,
    /// Whether this program wrote it.
    is_imported: bool,
}

/// What the running process knows of a source.
#[derive(Clone, Copy, Debug)]
struct Held {
    key: u32,
    version: u64,
}

struct Model {
    files: BTreeMap<PathBuf, ModelFile>,
    held: BTreeMap<PathBuf, Held>,
    /// Files that failed at the last settling.
    failed: BTreeSet<PathBuf>,
    versions: u64,
}

impl Model {
    /// What a load makes of the files.
    fn settle(&mut self) {
        self.held.retain(|path, _| self.files.contains_key(path));
        self.failed.clear();
        let before = self.held.clone();
        for (path, file) in &self.files {
            let held = before.get(path).copied();
            match file.content {
                Content::Truncated | Content::Dangling => {
                    self.failed.insert(path.clone());
                }
                Content::Keystore { .. }
                    if held.is_some_and(|held| held.version == file.version) => {}
                Content::Keystore { key, .. } if file.password == Password::Right => {
                    let version = file.version;
                    self.held.insert(path.clone(), Held { key, version });
                }
                Content::Keystore { key, is_declared } => {
                    self.failed.insert(path.clone());
                    // A file that declares another key does not hold that of before.
                    if is_declared && held.is_some_and(|held| held.key != key) {
                        self.held.remove(path);
                    }
                }
            }
        }
        // A file that does not open, and declares a key that another one holds, is no fault.
        let opened: BTreeSet<u32> = self
            .held
            .iter()
            .filter(|(path, _)| !self.failed.contains(*path))
            .map(|(_, held)| held.key)
            .collect();
        let files = &self.files;
        self.failed.retain(|path| match files[path].content {
            Content::Keystore { key, is_declared } => !(is_declared && opened.contains(&key)),
            Content::Truncated | Content::Dangling => true,
        });
        // Nor does it keep a key of before then: what it declares is there.
        let failed = &self.failed;
        self.held
            .retain(|path, held| failed.contains(path) || files[path].version == held.version);
    }

    fn keys(&self) -> BTreeSet<u32> {
        self.held.values().map(|held| held.key).collect()
    }

    /// How many files have to do with a key: only with one does damage have a certain effect.
    fn files_of(&self, key: u32) -> usize {
        let files = self.files.values();
        let holds = |file: &&ModelFile| matches!(file.content, Content::Keystore { key: found, .. } if found == key);
        let before = self.held.iter().filter(|(path, held)| {
            held.key == key && !matches!(self.files.get(*path), Some(file) if holds(&file))
        });
        files.filter(holds).count() + before.count()
    }
}

struct World {
    scratch: Scratch,
    data: Scratch,
    keystores: Vec<(String, String, String)>,
    random: Random,
    model: Model,
    manager: Option<Manager>,
    counts: BTreeMap<&'static str, u64>,
}

impl World {
    fn new(seed: u64) -> Self {
        let scratch = Scratch::new(&format!("model-{seed}"));
        for directory in ["pair", "layout-1", "layout-2", "configs", "stores"] {
            fs::create_dir(scratch.path().join(directory)).unwrap();
        }
        symlink("layout-1", scratch.path().join("layout")).unwrap();
        let keystores = (0..KEYS)
            .map(|number| {
                let (key, keystore, password) = keystore(number);
                (key.to_string(), keystore, password)
            })
            .collect();
        Self {
            scratch,
            data: Scratch::new(&format!("model-data-{seed}")),
            keystores,
            random: Random::new(seed),
            model: Model {
                files: BTreeMap::new(),
                held: BTreeMap::new(),
                failed: BTreeSet::new(),
                versions: 0,
            },
            manager: None,
            counts: BTreeMap::new(),
        }
    }

    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    fn start(&mut self) {
        let path = |name: &str| self.scratch.path().join(name).display().to_string();
        let (pair, layout) = (path("pair"), path("layout"));
        let options = [
            "--keystores-path",
            &pair,
            "--keystores-passwords-path",
            &pair,
            "--keys",
            &layout,
            "--slashing-protection-enabled=false",
        ];
        let manager = Manager::start(&self.data, &options);
        manager.signer.wait_loaded();
        self.manager = Some(manager);
        self.model.held.clear();
        self.model.settle();
    }

    fn manager(&self) -> &Manager {
        self.manager.as_ref().unwrap()
    }

    /// The directories into which people put keystores.
    fn directory(&mut self) -> PathBuf {
        match self.random.below(3) {
            0 => self.scratch.path().join("pair"),
            1 => self.scratch.path().join("layout"),
            _ => {
                let directory = self.data.path().join("keystores");
                fs::create_dir_all(&directory).unwrap();
                directory
            }
        }
    }

    fn any_key(&mut self) -> u32 {
        u32::try_from(self.random.below(KEYS.into())).unwrap()
    }

    fn any_file(&mut self) -> Option<PathBuf> {
        let count = self.model.files.len() as u64;
        if count == 0 {
            return None;
        }
        let place = usize::try_from(self.random.below(count)).unwrap();
        self.model.files.keys().nth(place).cloned()
    }

    /// A file whose key no other file has to do with.
    fn any_sole_file(&mut self) -> Option<PathBuf> {
        let path = self.any_file()?;
        let mut keys: BTreeSet<u32> = self
            .model
            .held
            .get(&path)
            .map(|held| held.key)
            .into_iter()
            .collect();
        if let Content::Keystore { key, .. } = self.model.files[&path].content {
            keys.insert(key);
        }
        let is_sole = keys.len() <= 1 && keys.iter().all(|key| self.model.files_of(*key) <= 1);
        is_sole.then_some(path)
    }

    /// Writes a keystore in the way that editors and tools do: beside, and renamed.
    fn write(&mut self, path: &Path, key: u32, is_declared: bool, password: Password) {
        let (_, text, right) = &self.keystores[key as usize];
        let mut json: Value = serde_json::from_str(text).unwrap();
        if !is_declared {
            json.as_object_mut().unwrap().remove("pubkey");
        }
        let (secret, mode) = match password {
            Password::Right => (right.as_str(), 0o600),
            Password::Wrong => ("wrong", 0o600),
            Password::Open => (right.as_str(), 0o644),
        };
        let secret_path = path.with_extension("txt");
        fs::write(&secret_path, secret).unwrap();
        fs::set_permissions(&secret_path, fs::Permissions::from_mode(mode)).unwrap();
        let _ = fs::remove_file(path);
        fs::write(path, json.to_string()).unwrap();
        let is_imported = self
            .model
            .files
            .get(path)
            .is_some_and(|file| file.is_imported);
        self.model.versions += 1;
        let file = ModelFile {
            content: Content::Keystore { key, is_declared },
            password,
            version: self.model.versions,
            is_imported,
        };
        self.model.files.insert(path.to_owned(), file);
    }

    /// One random operation on the files.
    fn change_a_file(&mut self) {
        match self.random.below(9) {
            0..=2 => {
                let directory = self.directory();
                let (key, name) = (self.any_key(), self.random.below(60));
                let password = match self.random.below(6) {
                    0 => Password::Wrong,
                    1 => Password::Open,
                    _ => Password::Right,
                };
                // Names say nothing: some are those of other keys.
                let other = self.any_key();
                let named = self.keystores[other as usize].0.clone();
                let name = if name < 10 {
                    named
                } else {
                    format!("file-{name}")
                };
                let path = directory.join(format!("{name}.json"));
                let may_replace = !self.model.files.contains_key(&path) || self.is_sole(&path);
                if may_replace && (password == Password::Right || self.model.files_of(key) == 0) {
                    let is_declared = self.random.below(3) > 0;
                    self.write(&path, key, is_declared, password);
                    self.count("keystores written");
                }
            }
            3 => {
                if let Some(path) = self.any_file() {
                    fs::remove_file(&path).unwrap();
                    self.model.files.remove(&path);
                    self.count("keystores removed");
                }
            }
            4 => self.rename_a_file(),
            5 => {
                if let Some(path) = self.any_sole_file() {
                    let text = self.keystores[0].1.clone();
                    let _ = fs::remove_file(&path);
                    fs::write(&path, &text[..200]).unwrap();
                    self.damage(&path, Content::Truncated);
                }
            }
            6 => {
                if let Some(path) = self.any_sole_file() {
                    let _ = fs::remove_file(&path);
                    symlink("/nowhere/at/all", &path).unwrap();
                    self.damage(&path, Content::Dangling);
                }
            }
            7 => {
                if let Some(path) = self.any_sole_file() {
                    let secret = path.with_extension("txt");
                    if secret.exists() {
                        fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).unwrap();
                        let file = self.model.files.get_mut(&path).unwrap();
                        if file.password == Password::Right {
                            file.password = Password::Open;
                        }
                        self.count("passwords opened to others");
                    }
                }
            }
            _ => self.swap_the_layout(),
        }
    }

    fn is_sole(&self, path: &Path) -> bool {
        let mut keys: BTreeSet<u32> = self
            .model
            .held
            .get(path)
            .map(|held| held.key)
            .into_iter()
            .collect();
        if let Some(ModelFile {
            content: Content::Keystore { key, .. },
            ..
        }) = self.model.files.get(path)
        {
            keys.insert(*key);
        }
        keys.iter().all(|key| self.model.files_of(*key) <= 1)
    }

    fn damage(&mut self, path: &Path, content: Content) {
        self.model.versions += 1;
        let version = self.model.versions;
        let file = self.model.files.get_mut(path).unwrap();
        file.content = content;
        file.version = version;
        self.count("keystores damaged");
    }

    /// Renames a keystore and its password, within its directory.
    fn rename_a_file(&mut self) {
        let Some(path) = self.any_file() else { return };
        let other = self.any_key();
        let name = self.keystores[other as usize].0.clone();
        let number = self.random.below(60);
        let name = if self.random.below(2) == 0 {
            name
        } else {
            format!("file-{number}")
        };
        let to = path.with_file_name(format!("{name}.json"));
        let is_damaged = !matches!(self.model.files[&path].content, Content::Keystore { .. });
        if self.model.files.contains_key(&to) || to.with_extension("txt").exists() || is_damaged {
            return;
        }
        // A file that does not open keeps its key under its old name alone.
        if self.model.files[&path].password != Password::Right {
            return;
        }
        let secret = path.with_extension("txt");
        if !secret.exists() {
            return;
        }
        fs::rename(secret, to.with_extension("txt")).unwrap();
        fs::rename(&path, &to).unwrap();
        let mut file = self.model.files.remove(&path).unwrap();
        self.model.versions += 1;
        file.version = self.model.versions;
        self.model.files.insert(to, file);
        self.count("keystores renamed");
    }

    /// What orchestrators do: the directory is a link that is replaced at once. The other one has copies of
    /// most of the files.
    fn swap_the_layout(&mut self) {
        let link = self.scratch.path().join("layout");
        let now = fs::read_link(&link).unwrap();
        let other = if now == Path::new("layout-1") {
            "layout-2"
        } else {
            "layout-1"
        };
        let other_path = self.scratch.path().join(other);
        fs::remove_dir_all(&other_path).unwrap();
        fs::create_dir(&other_path).unwrap();
        let paths: Vec<PathBuf> = self
            .model
            .files
            .keys()
            .filter(|path| path.starts_with(&link))
            .cloned()
            .collect();
        for path in paths {
            let file = self.model.files[&path];
            let is_whole = matches!(file.content, Content::Keystore { .. });
            let is_certain = file.password == Password::Right;
            if is_whole
                && is_certain
                && self.random.below(4) > 0
                && path.with_extension("txt").exists()
            {
                let name = path.file_name().unwrap();
                let copy = other_path.join(name);
                fs::copy(&path, &copy).unwrap();
                fs::copy(path.with_extension("txt"), copy.with_extension("txt")).unwrap();
                self.model.versions += 1;
                let version = self.model.versions;
                self.model.files.get_mut(&path).unwrap().version = version;
            } else {
                self.model.files.remove(&path);
            }
        }
        // A layout is recognised by its first keystore with a password.
        let new = self.scratch.path().join("new-link");
        symlink(other, &new).unwrap();
        fs::rename(&new, &link).unwrap();
        self.count("directories swapped");
    }

    fn import(&mut self) {
        let count = 1 + self.random.below(4);
        let numbers: BTreeSet<u32> = (0..count).map(|_| self.any_key()).collect();
        let numbers: Vec<u32> = numbers.into_iter().collect();
        let held = self.model.keys();
        let expected: Vec<&str> = numbers
            .iter()
            .map(|number| {
                if held.contains(number) {
                    "duplicate"
                } else {
                    "imported"
                }
            })
            .collect();
        let before = files_named(self.data.path(), ".json");
        assert_eq!(
            self.manager().import(numbers.iter().copied()),
            expected,
            "{numbers:?}"
        );
        for path in files_named(self.data.path(), ".json") {
            if before.contains(&path) {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let number = numbers
                .iter()
                .find(|number| self.keystores[**number as usize].1 == text);
            let key = *number.expect("a new file is one of the import");
            self.model.versions += 1;
            let version = self.model.versions;
            let content = Content::Keystore {
                key,
                is_declared: true,
            };
            let password = Password::Right;
            self.model.files.insert(
                path.clone(),
                ModelFile {
                    content,
                    password,
                    version,
                    is_imported: true,
                },
            );
            self.model.held.insert(path, Held { key, version });
        }
        self.count("imports");
    }

    fn delete(&mut self) {
        let count = 1 + self.random.below(3);
        let numbers: BTreeSet<u32> = (0..count).map(|_| self.any_key()).collect();
        let keys: Vec<_> = numbers.iter().map(|number| keystore(*number).0).collect();
        let answer = self.manager().delete(&keys);
        for (number, status) in numbers.iter().zip(statuses(&answer)) {
            let holders: Vec<PathBuf> = self
                .model
                .held
                .iter()
                .filter(|(_, held)| held.key == *number)
                .map(|(path, _)| path.clone())
                .collect();
            // A file that was damaged since it was opened is not destroyed: nobody knows what is in it.
            let is_foreign = holders.iter().any(|path| {
                let file = self.model.files[path];
                !file.is_imported || file.version != self.model.held[path].version
            });
            if holders.is_empty() {
                let text = answer.text();
                assert!(
                    ["not_found", "error"].contains(&status.as_str()),
                    "{number}: {text}"
                );
            } else if is_foreign {
                assert_eq!(status, "error", "{number}: {}", answer.text());
            } else {
                assert_eq!(status, "deleted", "{number}: {}", answer.text());
                for path in holders {
                    assert!(!path.exists(), "{}", path.display());
                    self.model.files.remove(&path);
                    self.model.held.remove(&path);
                }
            }
        }
        self.count("deletions");
    }

    /// Prints what the model knows of each key that is in one of the two lists alone.
    fn explain(&self, keys: &BTreeSet<u32>, found: &[String]) {
        for number in 0..KEYS {
            let is_found = found.contains(&self.keystores[number as usize].0);
            if is_found == keys.contains(&number) {
                continue;
            }
            println!(
                "key {number}: listed {is_found}, in the model {}",
                !is_found
            );
            for (path, file) in &self.model.files {
                let held = self.model.held.get(path);
                let is_about = held.is_some_and(|held| held.key == number)
                    || matches!(file.content, Content::Keystore { key, .. } if key == number);
                if is_about {
                    println!("  {}: {file:?}, {held:?}", path.display());
                }
            }
        }
    }

    /// The list is the model's, health is truthful, what is listed signs, and nothing else.
    fn check(&mut self, step: u64) {
        let signer = &self.manager().signer;
        let keys = self.model.keys();
        let mut expected: Vec<String> = keys
            .iter()
            .map(|number| self.keystores[*number as usize].0.clone())
            .collect();
        expected.sort();
        let found = listed(signer);
        if found != expected {
            self.explain(&keys, &found);
            panic!(
                "step {step}: the list differs from the model: {:?}",
                self.counts
            );
        }
        let status = if self.model.failed.is_empty() {
            200
        } else {
            503
        };
        assert_eq!(
            health(signer).0,
            status,
            "step {step}: {:?}",
            self.model.failed
        );
        let body = json!({
            "type": "RANDAO_REVEAL",
            "randao_reveal": {"epoch": step.to_string()},
            "fork_info": {
                "fork": {"previous_version": "0x00000000", "current_version": "0x00000000", "epoch": "0"},
                "genesis_validators_root": format!("0x{}", "04".repeat(32)),
            },
        })
        .to_string();
        let mut client = signer.client();
        for number in 0..KEYS {
            // All of them now and then, a few always.
            if step.is_multiple_of(20) || number % 40 == u32::try_from(step % 40).unwrap() {
                let path = format!("/api/v1/eth2/sign/{}", self.keystores[number as usize].0);
                let status = client.post(&path, body.as_bytes()).status;
                let expected = if keys.contains(&number) { 200 } else { 404 };
                assert_eq!(status, expected, "step {step}: signature of {number}");
            }
        }
    }
}

#[test]
fn every_settling_agrees_with_a_plain_model_of_the_law() {
    let number = |name: &str, default: u64| {
        std::env::var(name).map_or(default, |text| text.parse().unwrap())
    };
    let seed = number("SIGNERD_MODEL_SEED", 1);
    let end = Instant::now() + Duration::from_secs(number("SIGNERD_MODEL_SECONDS", SECONDS));
    let mut world = World::new(seed);
    world.start();
    let mut step = 0;
    while Instant::now() < end {
        step += 1;
        for _ in 0..world.random.below(8) {
            world.change_a_file();
        }
        match world.random.below(20) {
            0 => {
                world.manager = None; // kill -9
                world.start();
                world.count("kills");
            }
            1 => {
                world.manager().signer.client().post("/reload", b"");
                world.manager = None; // kill -9 while it reloads
                world.start();
                world.count("kills during a reload");
            }
            2 => {
                let mut manager = world.manager.take().unwrap();
                manager.signer.signal("TERM");
                assert_eq!(manager.signer.wait_exit(), Some(0));
                world.start();
                world.count("restarts");
            }
            _ => {
                reload(&world.manager().signer);
                world.model.settle();
                world.count("reloads");
            }
        }
        world.check(step);
        if world.random.below(2) == 0 {
            world.import();
            world.check(step);
        }
        if world.random.below(2) == 0 {
            world.delete();
            world.check(step);
        }
    }
    println!("seed {seed}: {step} settlings, {:?}", world.counts);
    assert!(step > 5, "too slow to show anything");
}
