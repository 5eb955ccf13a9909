//! What to do about a file that cannot be read: names the real cause, which may be a directory above it, another
//! owner, or systemd.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// What systemd hides from a unit with ProtectHome= (systemd.exec(5)).
const HOMES: [&str; 3] = ["/home", "/root", "/run/user"];

/// The user of the container image.
const IMAGE_UID: u32 = 10001;

/// Returns what to do about a path that cannot be opened for this reason.
pub(crate) fn advice(path: &Path, error: &io::Error) -> String {
    if let Some(advice) = denial(path, error) {
        advice
    } else if error.kind() == io::ErrorKind::NotFound {
        missing(path)
    } else {
        "give the path of a file or directory that can be read".to_owned()
    }
}

/// Returns what to do about a path that this process may not read, or that systemd hides from it. `None` when
/// the reason is another one.
pub(crate) fn denial(path: &Path, error: &io::Error) -> Option<String> {
    let is_denied = error.kind() == io::ErrorKind::PermissionDenied;
    let is_missing = error.kind() == io::ErrorKind::NotFound;
    if (is_denied || is_missing) && is_hidden_home(path) {
        let advice = "ProtectHome= of the unit hides it from the service: move the file, for example to \
                      /var/lib/signerd, or run `systemctl edit signerd` and add the lines [Service] and \
                      ProtectHome=read-only";
        Some(advice.to_owned())
    } else if is_denied {
        Some(denied(path))
    } else {
        None
    }
}

/// Returns whether the path lies in a home that the unit of this process does not see.
fn is_hidden_home(path: &Path) -> bool {
    let Some(home) = HOMES.iter().find(|home| path.starts_with(home)) else {
        return false;
    };
    let is_unit = std::env::var_os("INVOCATION_ID").is_some();
    let is_hidden = match fs::read_dir(home) {
        Ok(mut entries) => entries.next().is_none(),
        Err(_) => true,
    };
    is_unit && is_hidden
}

fn missing(path: &Path) -> String {
    let mut first_missing = path.to_owned();
    while let Some(parent) = first_missing.parent() {
        let parent = if parent.as_os_str().is_empty() {
            Path::new(".")
        } else {
            parent
        };
        if parent.exists() {
            let name = first_missing.file_name().unwrap_or_default();
            return format!(
                "{}/ has no {}; a container sees only what is mounted into it",
                parent.display().to_string().trim_end_matches('/'),
                name.display()
            );
        }
        first_missing = parent.to_owned();
    }
    "give the path of a file that exists".to_owned()
}

fn denied(path: &Path) -> String {
    let closed = closed(path);
    let (Ok(file), Ok(process)) = (fs::metadata(&closed), fs::metadata("/proc/self")) else {
        return "let the user that signerd runs as read it, by chown or chmod".to_owned();
    };
    let shown = closed.display();
    let gid = process.gid();
    let uid = process.uid();
    let mode = if file.is_dir() { "0750" } else { "0440" };
    format!(
        "{shown} belongs to {}, and signerd runs as uid {uid} and gid {gid}: run \
         `chgrp {gid} {shown} && chmod {mode} {shown}`{}",
        owner(&file),
        place(uid)
    )
}

/// Returns what to do about a directory of ours in which no file can be made.
pub(crate) fn unwritable(directory: &Path) -> String {
    let (Ok(found), Ok(process)) = (fs::metadata(directory), fs::metadata("/proc/self")) else {
        return "let the user that signerd runs as write there, by chown".to_owned();
    };
    let shown = directory.display();
    let uid = process.uid();
    let gid = process.gid();
    format!(
        "{shown} belongs to {}, and signerd runs as uid {uid} and gid {gid}: run `chown {uid}:{gid} {shown}`{}",
        owner(&found),
        place(uid)
    )
}

fn place(uid: u32) -> &'static str {
    if uid == IMAGE_UID {
        " (for a mount of a container: on the host)"
    } else {
        ""
    }
}

/// Returns the first of the path and the directories above it that keeps this process out.
fn closed(path: &Path) -> PathBuf {
    let mut ancestors: Vec<&Path> = path.ancestors().collect();
    ancestors.reverse();
    for pair in ancestors.windows(2) {
        let error = fs::metadata(pair[1]).err();
        if error.is_some_and(|error| error.kind() == io::ErrorKind::PermissionDenied) {
            return pair[0].to_owned();
        }
    }
    path.to_owned()
}

fn owner(file: &Metadata) -> String {
    format!(
        "uid {} and gid {} with mode {:04o}",
        file.uid(),
        file.gid(),
        file.permissions().mode() & 0o7777
    )
}
