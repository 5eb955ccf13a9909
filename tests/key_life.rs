//! The life of a key on the real binary: which source holds it, when it signs, when it is gone.
//!
//! Files of imports are looked for by the key in their name, wherever a data directory keeps them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use signerd::consensus::primitives::PublicKey;

use crate::keymanager::{Manager, call, keystore, keystore_at, statuses};
use crate::support::{Scratch, Signer, binary};

/// Writes the keystore of a number and its password as `NAME.json` and `NAME.txt`.
pub(crate) fn put(scratch: &Scratch, name: &str, number: u32) -> PublicKey {
    let (key, keystore, password) = keystore(number);
    scratch.write(&format!("{name}.txt"), password);
    scratch.write(&format!("{name}.json"), keystore);
    key
}

/// The same, with a password that does not open it.
fn put_stale(scratch: &Scratch, name: &str, number: u32) -> PublicKey {
    let key = put(scratch, name, number);
    scratch.write(&format!("{name}.txt"), "not the password");
    key
}

fn remove(scratch: &Scratch, name: &str) {
    fs::remove_file(scratch.path().join(name)).unwrap();
}

/// All files below a directory whose name holds this text.
pub(crate) fn files_named(directory: &Path, text: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_named(&path, text));
        } else if path.file_name().unwrap().to_str().unwrap().contains(text) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Reloads, and waits until that has ended.
pub(crate) fn reload(signer: &Signer) -> Value {
    assert_eq!(signer.client().post("/reload", b"").status, 202);
    wait_reloaded(signer)
}

/// Waits until the reload that was asked for has ended.
fn wait_reloaded(signer: &Signer) -> Value {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let state = signer.client().get("/reload").json();
        if state["status"] != "running" {
            return state;
        }
        assert!(Instant::now() < deadline, "{state}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub(crate) fn listed(signer: &Signer) -> Vec<String> {
    let keys = signer.client().get("/api/v1/eth2/publicKeys").json();
    let keys = keys.as_array().unwrap();
    keys.iter()
        .map(|key| key.as_str().unwrap().to_owned())
        .collect()
}

/// The status of `/healthcheck`, and the failures that it tells of.
pub(crate) fn health(signer: &Signer) -> (u16, u64) {
    let answer = signer.client().get("/healthcheck");
    let data = answer.json()["checks"][1]["checks"][0]["data"].clone();
    (answer.status, data["error-count"].as_u64().unwrap())
}

fn sorted(keys: &[PublicKey]) -> Vec<String> {
    let mut names: Vec<String> = keys.iter().map(ToString::to_string).collect();
    names.sort();
    names
}

fn key(number: u32) -> PublicKey {
    keystore(number).0
}

fn start_on(directory: &Path, more: &[&str]) -> Signer {
    let directory = directory.to_str().unwrap();
    let pair = [
        "--keystores-path",
        directory,
        "--keystores-passwords-path",
        directory,
    ];
    let signer = Signer::start(&[&pair[..], more].concat());
    signer.wait_loaded();
    signer
}

#[test]
fn deleting_and_importing_one_key_leaves_a_file_with_its_name_and_another_key_alone() {
    let scratch = Scratch::new("life-name");
    let manager = Manager::start(&scratch, &[]);
    assert_eq!(manager.import([2]), ["imported"]);
    drop(manager);
    // By hand, as after a mix-up in a backup: the file of key 2 has the name of key 1.
    let (one, two) = (key(1).to_string(), key(2).to_string());
    for file in files_named(scratch.path(), &two) {
        fs::rename(&file, file.to_str().unwrap().replace(&two, &one)).unwrap();
    }
    let misnamed = files_named(scratch.path(), &one);
    assert_eq!(misnamed.len(), 2);

    let manager = Manager::start(&scratch, &[]);
    manager.signer.wait_loaded();
    assert_eq!(listed(&manager.signer), [two.as_str()]);
    assert_eq!(statuses(&manager.delete(&[key(1)])), ["not_found"]);
    assert_eq!(listed(&manager.signer), [two.as_str()]);
    assert_eq!(manager.import([1]), ["imported"]);
    assert_eq!(listed(&manager.signer), sorted(&[key(1), key(2)]));
    drop(manager);

    let manager = Manager::start(&scratch, &[]);
    manager.signer.wait_loaded();
    assert_eq!(
        listed(&manager.signer),
        sorted(&[key(1), key(2)]),
        "nothing was overwritten"
    );
    assert_eq!(statuses(&manager.delete(&[key(2)])), ["deleted"]);
    assert!(!misnamed[0].exists(), "the file that held it is gone");
    assert_eq!(listed(&manager.signer), [one.as_str()]);
}

#[test]
fn a_copy_that_does_not_open_keeps_no_key_alive() {
    for stale in ["a-stale", "z-stale"] {
        let scratch = Scratch::new(&format!("life-{stale}"));
        put(&scratch, "good", 1);
        put_stale(&scratch, stale, 1);
        let signer = start_on(scratch.path(), &[]);
        assert_eq!(listed(&signer), sorted(&[key(1)]), "{stale}");
        remove(&scratch, "good.json");
        reload(&signer);
        assert_eq!(listed(&signer), sorted(&[]), "{stale}");
        assert_eq!(health(&signer), (503, 1), "{stale}");
    }
}

#[test]
fn files_of_one_key_are_tried_until_one_opens() {
    for stale in ["a-stale", "z-stale"] {
        let scratch = Scratch::new(&format!("life-tried-{stale}"));
        put(&scratch, "good", 1);
        put_stale(&scratch, stale, 1);
        put(&scratch, "other", 2);
        let signer = start_on(scratch.path(), &[]);
        assert_eq!(listed(&signer), sorted(&[key(1), key(2)]), "{stale}");
        assert_eq!(health(&signer), (200, 0), "{stale}: all keys sign");
    }
}

#[test]
fn a_key_signs_on_while_its_file_is_renamed_and_stops_when_the_last_one_is_gone() {
    let scratch = Scratch::new("life-renamed");
    put(&scratch, "a", 1);
    put(&scratch, "b", 1);
    let signer = start_on(scratch.path(), &[]);
    for (from, to) in [("a", "c"), ("b", "d"), ("c", "e")] {
        for ending in ["txt", "json"] {
            let path = |name: &str| scratch.path().join(format!("{name}.{ending}"));
            fs::rename(path(from), path(to)).unwrap();
        }
        reload(&signer);
        assert_eq!(listed(&signer), sorted(&[key(1)]), "{from} to {to}");
    }
    remove(&scratch, "d.json");
    reload(&signer);
    assert_eq!(listed(&signer), sorted(&[key(1)]));
    remove(&scratch, "e.json");
    reload(&signer);
    assert_eq!((listed(&signer), health(&signer)), (vec![], (200, 0)));
}

#[test]
fn a_replaced_file_brings_its_new_key_even_with_the_old_size_and_time() {
    let scratch = Scratch::new("life-replaced");
    put(&scratch, "a", 1);
    let signer = start_on(scratch.path(), &[]);
    let file = scratch.path().join("a.json");
    let before = fs::metadata(&file).unwrap();
    let (_, keystore, password) = keystore(2);
    scratch.write("a.txt", password);
    scratch.write("a.json", &keystore);
    fs::File::open(&file)
        .unwrap()
        .set_modified(before.modified().unwrap())
        .unwrap();
    assert_eq!(
        fs::metadata(&file).unwrap().len(),
        before.len(),
        "the test wants the same size"
    );
    reload(&signer);
    assert_eq!(listed(&signer), sorted(&[key(2)]));
}

#[test]
fn a_directory_that_is_empty_has_no_keys_and_that_is_healthy() {
    let (pair, layout) = (Scratch::new("life-empty"), Scratch::new("life-empty-keys"));
    put(&pair, "a", 1);
    put(&layout, "keys/b", 2);
    let secret = layout.path().join("keys/b.txt");
    layout.write("secrets/b.txt", fs::read(&secret).unwrap());
    fs::remove_file(secret).unwrap();
    let signer = start_on(pair.path(), &["--keys", layout.path().to_str().unwrap()]);
    assert_eq!(listed(&signer), sorted(&[key(1), key(2)]));
    remove(&layout, "keys/b.json");
    assert_eq!(reload(&signer)["status"], "completed");
    assert_eq!(
        (listed(&signer), health(&signer)),
        (sorted(&[key(1)]), (200, 0))
    );
    fs::remove_dir_all(layout.path().join("keys")).unwrap();
    fs::remove_dir_all(layout.path().join("secrets")).unwrap();
    for name in ["a.json", "a.txt"] {
        remove(&pair, name);
    }
    assert_eq!(reload(&signer)["status"], "completed");
    assert_eq!((listed(&signer), health(&signer)), (vec![], (200, 0)));
}

/// Makes something of one source unreadable, and gives the text that health names it by.
type Damage = fn(&Scratch);

#[test]
fn what_cannot_be_read_or_understood_keeps_its_keys_is_named_and_hinders_no_other_source() {
    let cases: [(&str, &str, Damage); 6] = [
        ("a dangling link", "pair/a.json", |scratch| {
            remove(scratch, "pair/a.json");
            symlink("/nowhere", scratch.path().join("pair/a.json")).unwrap();
        }),
        ("a half-written keystore", "pair/a.json", |scratch| {
            let whole = fs::read_to_string(scratch.path().join("pair/a.json")).unwrap();
            scratch.write("pair/a.json", &whole[..100]);
        }),
        ("a half-written key config", "configs/b.yaml", |scratch| {
            scratch.write("configs/b.yaml", "type: file-keyst");
        }),
        ("an empty key config", "configs/b.yaml", |scratch| {
            scratch.write("configs/b.yaml", "");
        }),
        ("a directory in no layout", "keys", |scratch| {
            fs::remove_dir_all(scratch.path().join("keys")).unwrap();
            scratch.write("keys/notes/readme.md", "moved");
        }),
        ("a directory that is a link to nothing", "keys", |scratch| {
            fs::remove_dir_all(scratch.path().join("keys")).unwrap();
            symlink("/nowhere", scratch.path().join("keys")).unwrap();
        }),
    ];
    for (case, named, damage) in cases {
        let scratch = Scratch::new("life-unreadable");
        put(&scratch, "pair/a", 1);
        put(&scratch, "stores/b", 2);
        scratch.write(
            "configs/b.yaml",
            "type: file-keystore\nkeystoreFile: ../stores/b.json\nkeystorePasswordFile: ../stores/b.txt\n",
        );
        put(&scratch, "keys/c", 3);
        let path = |name: &str| scratch.path().join(name).display().to_string();
        let (configs, keys) = (path("configs"), path("keys"));
        let more = ["--key-config-path", &configs, "--keys", &keys];
        let signer = start_on(&scratch.path().join("pair"), &more);
        let all = sorted(&[key(1), key(2), key(3)]);
        assert_eq!(listed(&signer), all, "{case}");

        damage(&scratch);
        put(&scratch, "pair/d", 4);
        assert_ne!(reload(&signer)["status"], "completed", "{case}");
        let with_new = sorted(&[key(1), key(2), key(3), key(4)]);
        assert_eq!(listed(&signer), with_new, "{case}");
        assert_eq!(health(&signer).0, 503, "{case}");
        let told = signer.client().get("/reload").json()["lastError"].to_string();
        assert!(told.contains(&path(named)), "{case}: {told}");

        // Mended.
        for name in ["pair/a.json", "keys"] {
            let link = scratch.path().join(name);
            if fs::symlink_metadata(&link).is_ok_and(|found| found.is_symlink()) {
                fs::remove_file(link).unwrap();
            }
        }
        let _ = fs::remove_dir_all(scratch.path().join("keys/notes"));
        put(&scratch, "pair/a", 1);
        put(&scratch, "keys/c", 3);
        scratch.write(
            "configs/b.yaml",
            "type: file-keystore\nkeystoreFile: ../stores/b.json\nkeystorePasswordFile: ../stores/b.txt\n",
        );
        assert_eq!(reload(&signer)["status"], "completed", "{case}");
        assert_eq!(
            (listed(&signer), health(&signer)),
            (with_new, (200, 0)),
            "{case}"
        );
    }
}

#[test]
fn all_layouts_of_one_directory_are_loaded() {
    let scratch = Scratch::new("life-mixed");
    put(&scratch, "flat", 1);
    put(&scratch, "keys/teku", 2);
    fs::create_dir(scratch.path().join("passwords")).unwrap();
    fs::rename(
        scratch.path().join("keys/teku.txt"),
        scratch.path().join("passwords/teku.txt"),
    )
    .unwrap();
    let (name, keystore, password) = keystore(3);
    scratch.write(&format!("validators/{name}/voting-keystore.json"), keystore);
    scratch.write(&format!("secrets/{name}"), password);
    let signer = Signer::start(&["--keys", scratch.path().to_str().unwrap()]);
    signer.wait_loaded();
    assert_eq!(listed(&signer), sorted(&[key(1), key(2), key(3)]));
}

/// The keystore of a number without `pubkey`, so that only opening it tells its key, at some cost.
fn undeclared(number: u32) -> (PublicKey, String, String) {
    let kdf = json!({"function": "scrypt", "params": {"n": 1 << 16, "r": 8, "p": 1}});
    let (key, keystore, password) = keystore_at(number, kdf);
    let mut keystore: Value = serde_json::from_str(&keystore).unwrap();
    keystore.as_object_mut().unwrap().remove("pubkey");
    (key, keystore.to_string(), password)
}

#[test]
fn a_key_that_is_still_being_opened_is_deleted_for_good() {
    const KEYS: u32 = 20;
    let scratch = Scratch::new("life-deleted-while-loading");
    let manager = Manager::start(&scratch, &[]);
    let mut new: Vec<_> = (0..KEYS).map(undeclared).collect();
    let keystores: Vec<_> = new.iter().map(|(_, keystore, _)| keystore).collect();
    let passwords: Vec<_> = new.iter().map(|(.., password)| password).collect();
    let answer = manager.call(
        "POST",
        &json!({"keystores": keystores, "passwords": passwords}),
    );
    assert_eq!(statuses(&answer), ["imported"; KEYS as usize]);
    drop(manager);

    // Those that are opened first are among the deleted ones.
    new.sort_by_key(|(key, ..)| *key);
    let keys: Vec<PublicKey> = new.iter().map(|(key, ..)| *key).collect();
    let (deleted, kept) = keys.split_at(18);
    let manager = Manager::start(&scratch, &[]);
    assert_eq!(statuses(&manager.delete(deleted)), ["deleted"; 18]);
    manager.signer.wait_loaded();
    assert_eq!(listed(&manager.signer), sorted(kept));
    reload(&manager.signer);
    assert_eq!(listed(&manager.signer), sorted(kept));
    drop(manager);
    let manager = Manager::start(&scratch, &[]);
    manager.signer.wait_loaded();
    assert_eq!(listed(&manager.signer), sorted(kept));
}

#[test]
fn a_key_with_another_source_is_not_deleted_and_the_source_is_named() {
    let (scratch, data) = (
        Scratch::new("life-two-sources"),
        Scratch::new("life-two-sources-data"),
    );
    put(&scratch, "other", 9);
    let directory = scratch.path().to_str().unwrap();
    let options = [
        "--keystores-path",
        directory,
        "--keystores-passwords-path",
        directory,
    ];
    let manager = Manager::start(&data, &options);
    manager.signer.wait_loaded();
    assert_eq!(manager.import([1]), ["imported"]);
    // The same key comes by hand as well, and nobody has needed that file so far.
    put(&scratch, "copy", 1);
    reload(&manager.signer);
    let answer = manager.delete(&[key(1)]);
    assert_eq!(statuses(&answer), ["error"]);
    let message = answer.json()["data"][0]["message"].to_string();
    assert!(message.contains("copy.json"), "{message}");
    assert_eq!(listed(&manager.signer), sorted(&[key(1), key(9)]));
    assert_eq!(
        files_named(data.path(), &key(1).to_string()).len(),
        2,
        "nothing was removed"
    );

    remove(&scratch, "copy.json");
    reload(&manager.signer);
    assert_eq!(listed(&manager.signer), sorted(&[key(1), key(9)]));
    assert_eq!(statuses(&manager.delete(&[key(1)])), ["deleted"]);
    assert_eq!(listed(&manager.signer), sorted(&[key(9)]));
}

/// Mounts something, and takes it away again.
struct Mount(PathBuf);

impl Mount {
    /// A disk of a quarter of a mebibyte.
    fn small(path: &Path) -> Option<Self> {
        let options = ["-t", "tmpfs", "-o", "size=256k,mode=0700", "tmpfs"];
        let mounted = Command::new("mount").args(options).arg(path).status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self(path.to_owned()));
        }
        println!("nothing can be mounted here: not tried");
        None
    }

    /// The path mounted on itself, so that it cannot be removed.
    fn bind(path: &Path) -> Option<Self> {
        let path_text = path.to_str().unwrap();
        let bound = Command::new("mount")
            .args(["--bind", path_text, path_text])
            .status();
        if !bound.is_ok_and(|status| status.success()) {
            println!("nothing can be mounted here: not tried");
            return None;
        }
        Some(Self(path.to_owned()))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_deleted_key_whose_file_cannot_be_removed_is_an_error_and_stays_dead() {
    let scratch = Scratch::new("life-buried");
    let manager = Manager::start(&scratch, &[]);
    assert_eq!(manager.import([1, 2]), ["imported"; 2]);
    let files = files_named(scratch.path(), &key(1).to_string());
    let file = files
        .iter()
        .find(|file| file.extension().unwrap() == "json")
        .unwrap();
    // A mount point cannot be removed.
    let Some(mount) = Mount::bind(file) else {
        return;
    };
    let answer = manager.delete(&[key(1)]);
    assert_eq!(statuses(&answer), ["error"]);
    let message = answer.json()["data"][0]["message"].to_string();
    assert!(message.contains(file.to_str().unwrap()), "{message}");
    assert_eq!(listed(&manager.signer), sorted(&[key(2)]));
    reload(&manager.signer);
    assert_eq!(listed(&manager.signer), sorted(&[key(2)]));
    drop(manager);

    let manager = Manager::start(&scratch, &[]);
    manager.signer.wait_loaded();
    assert!(file.exists());
    assert_eq!(
        listed(&manager.signer),
        sorted(&[key(2)]),
        "after a restart as well"
    );
    // It may come back all the same, and goes again.
    assert_eq!(manager.import([1]), ["imported"]);
    assert_eq!(statuses(&manager.delete(&[key(1)])), ["deleted"]);
    drop((manager, mount));

    let manager = Manager::start(&scratch, &[]);
    manager.signer.wait_loaded();
    assert!(!file.exists(), "removed once that was possible");
    assert_eq!(listed(&manager.signer), sorted(&[key(2)]));
}

#[test]
fn an_import_that_cannot_be_stored_touches_nothing_that_was_there() {
    let scratch = Scratch::new("life-not-stored");
    let Some(mount) = Mount::small(scratch.path()) else {
        return;
    };
    let manager = Manager::start(&scratch, &["--slashing-protection-enabled=false"]);
    assert_eq!(manager.import([2]), ["imported"]);
    drop(manager);
    // The file of key 2 has the name of key 1, and the disk is full.
    let (one, two) = (key(1).to_string(), key(2).to_string());
    for file in files_named(scratch.path(), &two) {
        fs::rename(&file, file.to_str().unwrap().replace(&two, &one)).unwrap();
    }
    let manager = Manager::start(&scratch, &["--slashing-protection-enabled=false"]);
    manager.signer.wait_loaded();
    let filler = scratch.path().join("filler");
    assert!(
        fs::write(&filler, vec![0; 8 << 20]).is_err(),
        "the disk is full"
    );
    assert_eq!(manager.import([1, 2, 3]), ["error", "duplicate", "error"]);
    fs::remove_file(filler).unwrap();
    drop(manager);

    let manager = Manager::start(&scratch, &["--slashing-protection-enabled=false"]);
    manager.signer.wait_loaded();
    assert_eq!(listed(&manager.signer), [two.as_str()]);
    assert_eq!(health(&manager.signer), (200, 0));
    assert_eq!(manager.import([1]), ["imported"]);
    drop((manager, mount));
}

#[test]
fn what_is_imported_is_within_the_bounds_of_loading() {
    let scratch = Scratch::new("life-bounds");
    let manager = Manager::start(&scratch, &[]);
    let (_, keystore, password) = keystore(1);
    let mut long: Value = serde_json::from_str(&keystore).unwrap();
    long["description"] = json!("d".repeat(70_000));
    let body =
        json!({"keystores": [long.to_string(), keystore], "passwords": [password, password]});
    assert_eq!(
        statuses(&manager.call("POST", &body)),
        ["error", "imported"]
    );
    let before = listed(&manager.signer);
    drop(manager);
    let manager = Manager::start(&scratch, &[]);
    manager.signer.wait_loaded();
    assert_eq!(
        (listed(&manager.signer), health(&manager.signer)),
        (before, (200, 0))
    );
}

#[test]
fn a_key_that_is_pending_elsewhere_is_waited_for_and_not_lost() {
    let (scratch, data) = (
        Scratch::new("life-pending"),
        Scratch::new("life-pending-data"),
    );
    // Of full cost, and its password is wrong: it takes its time and does not open.
    let kdf = json!({"function": "scrypt", "params": {"n": 1 << 18, "r": 8, "p": 1}});
    let (_, slow, _) = keystore_at(1, kdf);
    scratch.write("slow.json", slow);
    scratch.write("slow.txt", "not the password");
    let directory = scratch.path().to_str().unwrap();
    let options = [
        "--keystores-path",
        directory,
        "--keystores-passwords-path",
        directory,
    ];
    let manager = Manager::start(&data, &options);
    assert_eq!(manager.import([1]), ["imported"]);
    manager.signer.wait_loaded();
    assert_eq!(listed(&manager.signer), sorted(&[key(1)]));
}

#[test]
fn a_long_import_delays_neither_another_import_nor_a_deletion() {
    let scratch = Scratch::new("life-long-import");
    let manager = Manager::start(&scratch, &[]);
    assert_eq!(manager.import([100]), ["imported"]);
    let kdf = || json!({"function": "scrypt", "params": {"n": 1 << 18, "r": 8, "p": 1}});
    let new: Vec<_> = (0..10).map(|number| keystore_at(number, kdf())).collect();
    let keystores: Vec<_> = new.iter().map(|(_, keystore, _)| keystore).collect();
    let passwords: Vec<_> = new.iter().map(|(.., password)| password).collect();
    let body = json!({"keystores": keystores, "passwords": passwords});
    std::thread::scope(|scope| {
        let mut client = manager.signer.client();
        let token = manager.token.clone();
        let long = scope.spawn(move || statuses(&call(&mut client, "POST", &token, &body)));
        // It has begun when a reload that comes after it has ended.
        reload(&manager.signer);
        assert_eq!(statuses(&manager.delete(&[key(100)])), ["deleted"]);
        assert_eq!(manager.import([101]), ["imported"]);
        assert!(!long.is_finished(), "the long import was still running");
        assert_eq!(long.join().unwrap(), ["imported"; 10]);
    });
    assert_eq!(listed(&manager.signer).len(), 11);
}

#[test]
fn a_file_that_does_not_answer_holds_up_nothing_but_itself() {
    let (scratch, data) = (
        Scratch::new("life-hanging"),
        Scratch::new("life-hanging-data"),
    );
    let fifo = |name: &str| {
        let path = scratch.path().join(name);
        let made = Command::new("mkfifo")
            .args(["-m", "600"])
            .arg(path)
            .status()
            .unwrap();
        assert!(made.success());
    };
    put(&scratch, "good", 1);
    put(&scratch, "hangs", 2);
    remove(&scratch, "hangs.txt");
    fifo("hangs.txt");
    fifo("pipe.json");
    let directory = scratch.path().to_str().unwrap();
    let options = [
        "--keystores-path",
        directory,
        "--keystores-passwords-path",
        directory,
    ];
    let manager = Manager::start(&data, &options);
    assert_eq!(manager.import([3]), ["imported"], "meanwhile");
    assert_eq!(
        statuses(&manager.delete(&[key(3)])),
        ["deleted"],
        "meanwhile"
    );
    manager.signer.wait_loaded();
    assert_eq!(listed(&manager.signer), sorted(&[key(1)]));
    let answer = manager.signer.client().get("/healthcheck");
    let data = &answer.json()["checks"][1]["checks"][0]["data"];
    assert_eq!(
        (&data["error-count"], &data["keys-pending"]),
        (&json!(2), &json!(0))
    );
    let mut manager = manager;
    let log = manager.signer.log();
    assert!(log.contains("pipe.json: not a regular file"), "{log}");
    assert!(log.contains("hangs.txt: not a regular file"), "{log}");
    manager.signer.signal("TERM");
    assert_eq!(
        manager.signer.wait_exit(),
        Some(0),
        "a stop does not wait for it"
    );
}

#[test]
fn start_and_deletion_remove_only_what_this_program_wrote() {
    let scratch = Scratch::new("life-by-hand");
    let (one, two, three) = (key(1), key(2), key(3));
    let by_hand = [
        format!("keystores/{one}.txt"),
        "keystores/notes.unfinished".to_owned(),
        format!("keystores/{two}.json.unfinished"),
        format!("keystores/{three}.JSON"),
        format!("keystores/{three}.txt"),
    ];
    let (_, keystore, password) = keystore(3);
    for name in &by_hand {
        scratch.write(name, "by hand");
    }
    scratch.write(&by_hand[3], keystore);
    scratch.write(&by_hand[4], password);
    let all_there = || {
        by_hand
            .iter()
            .all(|name| scratch.path().join(name).exists())
    };
    for round in 0..2 {
        let manager = Manager::start(&scratch, &[]);
        manager.signer.wait_loaded();
        assert!(all_there(), "start {round}");
        assert_eq!(listed(&manager.signer), sorted(&[three]));
        assert_eq!(
            statuses(&manager.delete(&[three])),
            ["error"],
            "it is read-only"
        );
        assert_eq!(manager.import([1]), ["imported"]);
        assert_eq!(statuses(&manager.delete(&[one])), ["deleted"]);
        assert!(all_there(), "deletion {round}");
    }
}

#[test]
fn what_an_older_version_imported_can_still_be_deleted() {
    let scratch = Scratch::new("life-migrated");
    let one = key(1).to_string();
    put(&scratch, &format!("keystores/{one}"), 1);
    put(&scratch, "keystores/by-hand", 2);
    // The older version ran there: this is what tells.
    scratch.write("api-token.txt", "0123456789abcdef\n");
    let manager = Manager::start(&scratch, &[]);
    manager.signer.wait_loaded();
    assert_eq!(listed(&manager.signer), sorted(&[key(1), key(2)]));
    assert_eq!(
        statuses(&manager.delete(&[key(1), key(2)])),
        ["deleted", "error"]
    );
    assert_eq!(files_named(scratch.path(), &one), Vec::<PathBuf>::new());
    assert!(scratch.path().join("keystores/by-hand.json").exists());
}

#[test]
fn a_data_directory_that_others_can_write_is_refused() {
    let scratch = Scratch::new("life-writable");
    let directory = scratch.path().to_str().unwrap();
    fs::set_permissions(directory, fs::Permissions::from_mode(0o777)).unwrap();
    let arguments = [
        "--port",
        "0",
        "--metrics-port",
        "0",
        "--data-dir",
        directory,
    ];
    let mut child = Command::new(binary())
        .args(arguments)
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while child.try_wait().unwrap().is_none() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    let _ = child.kill();
    let output = child.wait_with_output().unwrap();
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(77), "{printed}");
    assert!(printed.contains("chmod o-w"), "{printed}");
}

/// `--key-cache`: a keystore whose password cannot be read any more is left out, and so the file never opens
/// with less than all passwords.
#[test]
fn the_key_cache_is_never_written_under_fewer_passwords_than_keystores() {
    let (scratch, data) = (Scratch::new("life-cache"), Scratch::new("life-cache-data"));
    put(&scratch, "a", 1);
    put(&scratch, "b", 2);
    let cache = data.path().join("cache");
    let directory = scratch.path().to_str().unwrap();
    let options = [
        "--keystores-path",
        directory,
        "--keystores-passwords-path",
        directory,
    ];
    let cache_text = cache.to_str().unwrap();
    let mut manager = Manager::start(
        &data,
        &[&options[..], &["--key-cache", cache_text]].concat(),
    );
    manager.signer.wait_loaded();
    manager
        .signer
        .wait_for_line("2 keys sealed for the next start");
    assert_eq!(manager.import([3]), ["imported"]);
    manager
        .signer
        .wait_for_line("3 keys sealed for the next start");

    let password = |name: &str| scratch.path().join(format!("{name}.txt"));
    fs::set_permissions(password("a"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(password("b"), "another password").unwrap();
    assert_eq!(statuses(&manager.delete(&[key(3)])), ["deleted"]);
    manager
        .signer
        .wait_for_line("no keystore can go into the key cache");
    let log = manager.signer.log();
    for name in ["a.json", "b.json"] {
        let told = log
            .lines()
            .filter(|line| line.contains(name) && line.contains("left out of the key cache"));
        assert_eq!(told.count(), 1, "{name}: {log}");
    }
    let deadline = Instant::now() + Duration::from_secs(20);
    while cache.exists() {
        assert!(Instant::now() < deadline, "an empty set writes no file");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(
        listed(&manager.signer),
        sorted(&[key(1), key(2)]),
        "they sign on"
    );
}

/// A stop as soon as the program is ready does not cost the next start all derivations, and the cache takes
/// no more memory than its keystores.
#[test]
fn the_key_cache_is_written_before_the_program_is_ready_at_the_cost_of_its_keystores() {
    let scratch = Scratch::new("life-ready-cache");
    put(&scratch, "a", 1);
    put(&scratch, "b", 2);
    let data = Scratch::new("life-ready-cache-file");
    let cache = data.path().join("cache");
    let directory = scratch.path().to_str().unwrap();
    let arguments = [
        "--keystores-path",
        directory,
        "--keystores-passwords-path",
        directory,
        "--key-cache",
        cache.to_str().unwrap(),
    ];
    {
        let signer = Signer::start(&arguments);
        let deadline = Instant::now() + Duration::from_secs(60);
        while signer.client().get("/healthcheck").status != 200 {
            assert!(Instant::now() < deadline, "it gets ready");
        }
        signer.signal("KILL");
    }
    assert!(cache.exists());
    let signer = Signer::start(&arguments);
    signer.wait_loaded();
    assert_eq!(listed(&signer), sorted(&[key(1), key(2)]));
    let peak_mib = signer.memory_kib("VmHWM") >> 10;
    assert!(peak_mib < 64, "{peak_mib} MiB");
}
