//! A directory with a database: names that lead elsewhere, and files that are gone or others.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use redb::{Builder, Error};

use super::disk::{DATABASE_FILE, Disk, StoreDirectory, create_database};
use crate::testing::store_scratch::Scratch;

fn database_of(scratch: &Scratch) -> PathBuf {
    scratch.path().join(DATABASE_FILE)
}

fn open(directory: &StoreDirectory) -> Result<bool, Error> {
    Ok(directory.open(&Builder::new())?.is_some())
}

#[test]
fn a_name_that_leads_nowhere_is_an_error_or_a_store_that_was_lost() {
    let scratch = Scratch::new();
    let database = database_of(&scratch);
    let directory = StoreDirectory::lock(scratch.path()).unwrap();
    assert!(!open(&directory).unwrap(), "there is none");
    assert!(!directory.had_database().unwrap());

    // A link to itself: the system cannot say whether there is a file.
    symlink(&database, &database).unwrap();
    let error = open(&directory).unwrap_err();
    assert!(matches!(error, Error::Io(_)), "{error:?}");

    fs::remove_file(&database).unwrap();
    symlink(scratch.path().join("elsewhere"), &database).unwrap();
    assert!(!open(&directory).unwrap(), "nothing is there");
    assert!(directory.had_database().unwrap(), "but once there was");
}

#[test]
fn a_directory_had_a_database_when_a_file_or_a_process_says_so() {
    let scratch = Scratch::new();
    let had = || {
        let directory = StoreDirectory::lock(scratch.path()).unwrap();
        directory.had_database().unwrap()
    };
    assert!(!had(), "locked alone");
    for name in ["slashing-protection.made", DATABASE_FILE] {
        let path = scratch.path().join(name);
        fs::write(&path, "").unwrap();
        assert!(had(), "{name}");
        fs::remove_file(path).unwrap();
    }
    let lock = scratch.path().join("slashing-protection.lock");
    fs::write(&lock, "123\n").unwrap();
    assert!(had(), "the process with this id");
}

#[test]
fn a_database_that_lost_its_name_or_gave_it_to_another_file_is_noticed() {
    let scratch = Scratch::new();
    let database = database_of(&scratch);
    let directory = StoreDirectory::lock(scratch.path()).unwrap();
    drop(create_database(&directory, None).unwrap());
    directory.verify().unwrap();
    assert_eq!(
        directory.database_bytes().unwrap(),
        fs::metadata(&database).unwrap().len()
    );
    let verdict = || directory.verify().map_err(|error| error.to_string());
    let set_name = |target: &Path| {
        let _ = fs::remove_file(&database);
        symlink(target, &database).unwrap();
    };

    let aside = scratch.path().join("aside");
    fs::rename(&database, &aside).unwrap();
    assert!(verdict().unwrap_err().contains("was removed"));
    set_name(&aside);
    verdict().expect("the same file by another name");

    let copy = scratch.path().join("copy");
    fs::copy(&aside, &copy).unwrap();
    set_name(&copy);
    assert!(verdict().unwrap_err().contains("was replaced"));
    let error = open(&directory).unwrap_err().to_string();
    assert!(error.contains("was replaced"), "{error}");

    // A file that a container got under this name, and that its host has removed.
    let open_file = File::open(&aside).unwrap();
    fs::remove_file(&aside).unwrap();
    set_name(Path::new(&format!(
        "/proc/self/fd/{}",
        open_file.as_raw_fd()
    )));
    assert!(verdict().unwrap_err().contains("was removed"));

    // The system cannot say what is there.
    set_name(&database);
    const ELOOP: i32 = 40;
    let error = directory.verify().unwrap_err();
    assert_eq!(error.raw_os_error(), Some(ELOOP));
}
