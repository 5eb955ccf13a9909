//! System calls without a safe form in the standard library, and the spawning of coroutines: all `unsafe`
//! code of `server` is here.
#![expect(
    unsafe_code,
    reason = "system calls without a safe form in the standard library, and may's spawn"
)]

use std::io;
use std::mem::{self, MaybeUninit};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::time::Duration;

pub(super) use libc::{POLLIN, POLLOUT};

/// Events of epoll after which a read may reach the end of the stream without a further event.
pub(super) const HANGUP: usize =
    (libc::EPOLLRDHUP | libc::EPOLLHUP | libc::EPOLLERR).cast_unsigned() as usize;

/// A signal that the main thread waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// SIGTERM, SIGINT
    Stop,
    /// SIGHUP
    Reload,
}

/// Blocks the signals that [`wait_for_signal`] takes, for this thread and all that it spawns; and
/// SIGXFSZ, so that a write beyond a limit of the system fails and does not end the process.
pub(super) fn block_signals() {
    let set = signals();
    // SAFETY: `set` is initialised; the old mask is not asked for.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &set, ptr::null_mut()) };
}

/// Waits for the next signal; `None` when there was none in this time.
pub(super) fn wait_for_signal(within: Duration) -> Option<Signal> {
    let set = signals();
    let within = timespec(within);
    // SAFETY: both structures are initialised, and no details of the signal are asked for.
    match unsafe { libc::sigtimedwait(&set, ptr::null_mut(), &within) } {
        libc::SIGTERM | libc::SIGINT => Some(Signal::Stop),
        libc::SIGHUP => Some(Signal::Reload),
        _ => None,
    }
}

/// Removes `may`'s handlers of SIGSEGV and SIGBUS: after a stack overflow they would abandon one coroutine
/// in silence and go on; a signer must stop instead.
pub(super) fn restore_fault_signals() {
    for signal in [libc::SIGSEGV, libc::SIGBUS] {
        // SAFETY: the default action runs no code of ours.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

/// Makes an entry for [`poll`].
pub(super) fn pollfd(fd: BorrowedFd<'_>, events: i16) -> libc::pollfd {
    libc::pollfd {
        fd: fd.as_raw_fd(),
        events,
        revents: 0,
    }
}

/// Sleeps until one of `sources` is ready (its `revents` is set), or the time is over.
pub(super) fn poll(sources: &mut [libc::pollfd], within: Option<Duration>) {
    let within = within.map(timespec);
    let within = within.as_ref().map_or(ptr::null(), ptr::from_ref);
    let count = sources.len() as libc::nfds_t;
    // SAFETY: `sources` is a valid slice of `count` elements, `within` is null or initialised. An
    // interrupted call leaves `revents` 0, and callers look again.
    unsafe { libc::ppoll(sources.as_mut_ptr(), count, within, ptr::null()) };
}

/// Sets the backlog of a listening socket: the standard library's own is smaller.
pub(super) fn set_backlog(listener: BorrowedFd<'_>, backlog: i32) -> io::Result<()> {
    // SAFETY: the descriptor is open, and listen() takes no pointers.
    match unsafe { libc::listen(listener.as_raw_fd(), backlog) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Returns the user at the other end of a Unix socket.
pub(super) fn peer_uid(stream: BorrowedFd<'_>) -> Option<u32> {
    let mut credentials = MaybeUninit::<libc::ucred>::uninit();
    let mut length = libc::socklen_t::try_from(size_of::<libc::ucred>()).expect("12 bytes");
    // SAFETY: the buffer is as long as `length` says.
    let result = unsafe {
        let buffer = credentials.as_mut_ptr().cast();
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            buffer,
            &mut length,
        )
    };
    // SAFETY: on success the kernel has filled the structure.
    (result == 0).then(|| unsafe { credentials.assume_init() }.uid)
}

/// Raises the soft limit of open descriptors to `wanted`, or to the hard limit if that is lower.
pub(super) fn raise_descriptor_limit(wanted: u64) {
    // SAFETY: an all-zero rlimit is valid, and both calls get a pointer to it.
    unsafe {
        let mut limit = mem::zeroed::<libc::rlimit>();
        if libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) == 0 && limit.rlim_cur < wanted {
            limit.rlim_cur = wanted.min(limit.rlim_max);
            libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
        }
    }
}

/// Returns the user that this process acts as.
pub(super) fn effective_uid() -> u32 {
    // SAFETY: geteuid() takes nothing and cannot fail.
    unsafe { libc::geteuid() }
}

/// Runs `action` with this umask.
pub(super) fn with_umask<T>(mask: libc::mode_t, action: impl FnOnce() -> T) -> T {
    // SAFETY: umask() cannot fail; it concerns the whole process, which has one thread so far.
    let old = unsafe { libc::umask(mask) };
    let result = action();
    // SAFETY: as above.
    unsafe { libc::umask(old) };
    result
}

/// Takes ownership of a descriptor that the parent process left open for us.
pub(super) fn adopt(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: fcntl() on a number that is not a descriptor fails and does no harm.
    match unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) } {
        // SAFETY: the descriptor is open, and by the protocol of LISTEN_FDS it is ours alone.
        0 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Starts a coroutine with a stack of this many words.
pub(super) fn spawn_coroutine(
    stack_words: usize,
    body: impl FnOnce() + Send + 'static,
) -> io::Result<()> {
    let builder = may::coroutine::Builder::new().stack_size(stack_words);
    // SAFETY: one worker runs all coroutines, so thread-local values never change under them, and
    // nothing borrows one across a wait; a stack that overflows hits its guard page and ends the
    // process (`restore_fault_signals`). The handle may be dropped: it only joins.
    unsafe { builder.spawn(body)? };
    Ok(())
}

/// Whether the caller is a coroutine: then it runs on the one worker.
pub(super) fn is_on_worker() -> bool {
    may::coroutine::is_coroutine()
}

/// Frees the pages of this coroutine's stack below the current frame: an idle connection would keep all
/// that a handshake has ever touched. `top` is in its first frame, `bytes` is its whole size.
#[inline(never)]
pub(super) fn release_stack(top: usize, bytes: usize) {
    const PAGE: usize = 4096;
    let here = ptr::from_ref(&top).addr();
    let end = (here - 512) & !(PAGE - 1); // below this frame, and that of the call
    let start = (top & !(PAGE - 1)) + 4 * PAGE - bytes; // above the guard page
    if here < top && start < end {
        // SAFETY: these pages belong to the running coroutine's stack, below its last frame; what is read
        // there next is written before.
        unsafe {
            libc::madvise(
                ptr::without_provenance_mut(start),
                end - start,
                libc::MADV_DONTNEED,
            )
        };
    }
}

/// Lowers the priority of the calling thread.
pub(super) fn lower_priority() {
    // SAFETY: takes integers only. On Linux, process 0 means the calling thread. A refusal does no
    // harm: the thread goes on as it was.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) };
}

/// A thread of this niceness gets a tenth of a core that another one wants as well (sched(7)).
const NICE: libc::c_int = 10;

/// Returns the time of the clock that systemd compares reloads by.
pub(super) fn monotonic_us() -> i64 {
    let mut now = timespec(Duration::ZERO);
    // SAFETY: `now` is valid for writing, and the clock exists on every Linux.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec * 1_000_000 + now.tv_nsec / 1_000
}

/// A signal that a command with a terminal waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TerminalSignal {
    /// SIGINT, SIGTERM, SIGHUP, SIGQUIT
    End,
    /// SIGTSTP
    Suspend,
}

const TERMINAL_SIGNALS: [libc::c_int; 5] = [
    libc::SIGINT,
    libc::SIGTERM,
    libc::SIGHUP,
    libc::SIGQUIT,
    libc::SIGTSTP,
];

/// Blocks the signals that [`wait_for_terminal_signal`] takes.
pub(super) fn block_terminal_signals() {
    let set = signal_set(&TERMINAL_SIGNALS);
    // SAFETY: `set` is initialised; the old mask is not asked for.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &set, ptr::null_mut()) };
}

/// Waits for the next of these signals; `None` when there was none in this time.
pub(super) fn wait_for_terminal_signal(within: Duration) -> Option<TerminalSignal> {
    let set = signal_set(&TERMINAL_SIGNALS);
    let within = timespec(within);
    // SAFETY: both structures are initialised, and no details of the signal are asked for.
    match unsafe { libc::sigtimedwait(&set, ptr::null_mut(), &within) } {
        libc::SIGTSTP => Some(TerminalSignal::Suspend),
        signal if signal > 0 => Some(TerminalSignal::End),
        _ => None,
    }
}

/// Stops this process, as Ctrl-Z does, until it is continued.
pub(super) fn stop_process() {
    // SAFETY: raise() takes no pointers, and SIGSTOP runs no code of ours.
    unsafe { libc::raise(libc::SIGSTOP) };
}

/// Returns columns and rows of the terminal on standard output; `None` when it is not one.
pub(super) fn terminal_size() -> Option<(usize, usize)> {
    let mut size = MaybeUninit::<libc::winsize>::zeroed();
    // SAFETY: TIOCGWINSZ writes one `winsize`, for which there is room, and all bits zero is a valid value.
    let size = unsafe {
        if libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, size.as_mut_ptr()) != 0 {
            return None;
        }
        size.assume_init()
    };
    Some((size.ws_col.into(), size.ws_row.into()))
}

fn signals() -> libc::sigset_t {
    signal_set(&[libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGXFSZ])
}

fn signal_set(signals: &[libc::c_int]) -> libc::sigset_t {
    // SAFETY: an all-zero sigset_t is valid memory for sigemptyset() to initialise.
    unsafe {
        let mut set = mem::zeroed();
        libc::sigemptyset(&mut set);
        for signal in signals {
            libc::sigaddset(&mut set, *signal);
        }
        set
    }
}

fn timespec(duration: Duration) -> libc::timespec {
    libc::timespec {
        tv_sec: duration.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    }
}
