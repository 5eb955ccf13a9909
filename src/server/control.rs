//! The control socket: a Unix socket for the owner of the process alone. Commands use it to reach the
//! running service, without a token and without TLS.
//!
//! It has mode 0600, and both sides ask the kernel which user is at the other end: the server serves its
//! own user and root, and a command trusts its own user, root and the owner of the directory, who has the
//! keys anyway.

use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::system;

/// The name of the socket in the data directory, or in the runtime directory.
const NAME: &str = "control.sock";

/// The longest path that fits into an address (unix(7)), with the zero byte behind it.
const PATH_BYTES_MAX: usize = 107;

/// How often a directory that another process has locked is tried again: that process makes its own socket,
/// which takes a moment.
const LOCK_TRIES: u32 = 10;

/// The pause between two tries.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// A bound control socket.
#[derive(Clone, Debug)]
pub struct ControlSocket {
    listener: Arc<UnixListener>,
    path: PathBuf,
}

/// Why a control socket cannot be used.
#[derive(Debug)]
pub(crate) enum ConnectError {
    /// Nobody listens there, or this user may not connect.
    Absent(io::Error),
    /// A user listens there who is neither this user nor root nor the owner of the directory.
    Stranger(u32),
}

/// Returns the path of the control socket in a directory.
pub(crate) fn path_in(directory: &Path) -> PathBuf {
    directory.join(NAME)
}

/// Returns the directory that systemd has made for this service (`RuntimeDirectory=`).
pub(crate) fn runtime_directory() -> Option<PathBuf> {
    let directories = std::env::var_os("RUNTIME_DIRECTORY")?;
    let first = directories.to_str()?.split(':').next()?;
    Some(PathBuf::from(first)).filter(|path| path.is_absolute())
}

impl ControlSocket {
    /// Binds the control socket in `directory`, and replaces one that a dead process has left. Call it before
    /// the first thread starts: it changes the umask for a moment.
    ///
    /// # Errors
    /// [`ErrorKind::AddrInUse`] when another process listens there; otherwise the system's.
    pub(crate) fn bind(directory: &Path) -> io::Result<Self> {
        let path = path_in(directory);
        // Of two processes that start at once, only one may replace the old socket.
        let _lock = lock(directory)?;
        remove_dead_socket(&path)?;
        let listener = with_short_path(&path, |short| {
            system::with_umask(0o177, || UnixListener::bind(short))
        })?;
        Ok(Self {
            listener: Arc::new(listener),
            path,
        })
    }

    /// The path of the socket.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn set_nonblocking(&self) -> io::Result<()> {
        self.listener.set_nonblocking(true)
    }

    /// Accepts the next connection of this user or root; others are closed.
    pub(super) fn accept(&self) -> io::Result<UnixStream> {
        let (stream, _) = self.listener.accept()?;
        match system::peer_uid(stream.as_fd()) {
            Some(0) => Ok(stream),
            Some(uid) if uid == system::effective_uid() => Ok(stream),
            other => {
                let user = other.map_or(-1, i64::from);
                log::warn!("the control socket refused a connection of user {user}");
                Err(ErrorKind::ConnectionAborted.into())
            }
        }
    }
}

impl AsFd for ControlSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

/// Connects to the service whose control socket is at `path`.
///
/// # Errors
/// [`ConnectError`].
pub(crate) fn connect(path: &Path) -> Result<UnixStream, ConnectError> {
    let stream =
        with_short_path(path, |short| UnixStream::connect(short)).map_err(ConnectError::Absent)?;
    let uid = system::peer_uid(stream.as_fd()).unwrap_or(u32::MAX);
    let directory = path.parent().unwrap_or(Path::new("."));
    let owner = fs::metadata(directory).map_err(ConnectError::Absent)?.uid();
    if uid == 0 || uid == owner || uid == system::effective_uid() {
        Ok(stream)
    } else {
        Err(ConnectError::Stranger(uid))
    }
}

/// Locks the directory for a moment. On a file system without locks it goes on without one.
fn lock(directory: &Path) -> io::Result<File> {
    let file = File::open(directory)?;
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) | Err(TryLockError::Error(_)) => return Ok(file),
            Err(TryLockError::WouldBlock) => thread::sleep(LOCK_PAUSE),
        }
    }
    Err(ErrorKind::AddrInUse.into())
}

fn remove_dead_socket(path: &Path) -> io::Result<()> {
    let Ok(found) = fs::symlink_metadata(path) else {
        return Ok(());
    };
    if !found.file_type().is_socket() {
        return Err(io::Error::other(
            "a file that is not a socket is in the way",
        ));
    }
    match with_short_path(path, |short| UnixStream::connect(short)) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path),
        Ok(_) | Err(_) => Err(ErrorKind::AddrInUse.into()),
    }
}

/// Runs `action` with a path that fits into the address of a socket: a long one is replaced by one through
/// the descriptor of its directory.
fn with_short_path<T>(path: &Path, action: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    if path.as_os_str().len() <= PATH_BYTES_MAX {
        return action(path);
    }
    let directory = File::open(path.parent().unwrap_or(Path::new(".")))?;
    let name = path.file_name().unwrap_or_default();
    let short = PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd())).join(name);
    action(&short)
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent(error) => error.fmt(f),
            Self::Stranger(uid) => write!(
                f,
                "user {uid} listens there, not you, root or the owner of the directory"
            ),
        }
    }
}

impl std::error::Error for ConnectError {}
