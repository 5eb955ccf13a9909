//! Memory for secret scalars, and the blst functions that read a scalar in place. The memory is locked, left
//! out of core dumps, between guard pages, and wiped on release. All unsafe code of the keys is in this file.
//!
//! One slab of 64 KiB holds 2,047 scalars, so that 100,000 keys stay far below the usual limit on locked
//! memory (`RLIMIT_MEMLOCK`, 8 MiB). A slab is never given back: its slots are used again.
//! Invariants: a free slot is zero; a slot has one owner; the arena knows whether every slab is locked.
//! System calls go through `NewSlab`, so that everything but blst also runs under Miri (`scripts/check
//! --memory`); valgrind checks blst.

#![allow(
    unsafe_code,
    reason = "raw pages and C functions: each block says why it is sound"
)]

use std::fmt;
use std::io;
use std::ptr::{self, NonNull};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use blst::{blst_p1_affine, blst_scalar};
use zeroize::Zeroize;

/// Bytes of a scalar of BLS12-381.
pub(super) const SLOT_BYTES: usize = 32;

/// The bytes that the kernel locks for one slab: its slots, and memsec's canary of 16 bytes before them.
const SLAB_BYTES: usize = 64 * 1024;

/// The slots of one slab: the canary takes the space of one.
const SLAB_SLOTS: usize = SLAB_BYTES / SLOT_BYTES - 1;

/// Memory for one scalar, with one owner; dropping it wipes it and gives it back.
pub(crate) struct ArenaSlot(SlotAddress);

/// The state of the locked memory, for health and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockReport {
    /// Whether the kernel has locked every slab; otherwise secrets can reach the swap.
    pub locked: bool,
    /// Bytes of all slabs.
    pub bytes: usize,
}

/// Why no memory for a secret could be allocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArenaError {
    /// The system has no memory left.
    Memory,
    /// The memory cannot be locked, and [`require_lock`] was called.
    Lock,
}

impl ArenaSlot {
    /// Takes a free slot, all zero.
    ///
    /// # Errors
    /// [`ArenaError`] when another slab is needed and cannot be made.
    pub(crate) fn take() -> Result<Self, ArenaError> {
        change(Arena::take).map(Self)
    }

    /// The content.
    pub(crate) fn bytes(&self) -> &[u8; SLOT_BYTES] {
        // SAFETY: the address is in a slab, which lives as long as the process and was initialised; this
        // `ArenaSlot` is its only owner, so a shared borrow of it excludes writers.
        unsafe { self.0.0.as_ref() }
    }

    /// The content, to be written.
    pub(super) fn bytes_mut(&mut self) -> &mut [u8; SLOT_BYTES] {
        // SAFETY: as in `bytes`; the exclusive borrow of the only owner excludes every other access.
        unsafe { self.0.0.as_mut() }
    }

    /// Whether the slot holds a secret key in little endian: not zero, and below the order of the groups.
    pub(super) fn is_secret_key(&self) -> bool {
        // SAFETY: reads 32 bytes, which are there.
        unsafe { blst::blst_sk_check(self.scalar()) }
    }

    /// The compressed point of G1 that belongs to the scalar.
    pub(super) fn public_key(&self) -> [u8; 48] {
        let mut point = blst_p1_affine::default();
        let mut compressed = [0; 48];
        // SAFETY: the scalar is 32 live bytes, the point is live, a null pointer says that the serialized
        // form is not wanted, and 48 bytes is what a compressed point of G1 takes.
        unsafe {
            blst::blst_sk_to_pk2_in_g1(ptr::null_mut(), &mut point, self.scalar());
            blst::blst_p1_affine_compress(compressed.as_mut_ptr(), &point);
        }
        compressed
    }

    /// The content as a `blst_scalar`, which is an array of 32 bytes without alignment.
    fn scalar(&self) -> *const blst_scalar {
        self.bytes().as_ptr().cast()
    }
}

impl Drop for ArenaSlot {
    fn drop(&mut self) {
        arena().give_back(self.0);
    }
}

/// Whether the memory is locked, and how much there is. Makes the first slab if there is none, because only
/// that shows whether memory can be locked.
pub fn report() -> LockReport {
    change(Arena::report)
}

/// Refuses memory that cannot be locked from now on.
///
/// # Errors
/// [`ArenaError`] when the first slab, or one that is already in use, is not locked.
pub(crate) fn require_lock() -> Result<(), ArenaError> {
    change(Arena::require_lock)
}

/// Sets what to call when the system refuses to lock memory for the first time. It is called on the thread
/// that needs the memory, with the bytes that are locked by then.
pub(crate) fn when_not_locked(report: fn(usize)) {
    assert!(
        REPORT_UNLOCKED.set(report).is_ok(),
        "a process sets this once"
    );
}

static REPORT_UNLOCKED: OnceLock<fn(usize)> = OnceLock::new();

/// Closes the process to debuggers and core dumps (`prctl(2)`, `getrlimit(2)`), and makes the heap give large
/// blocks back to the system.
///
/// # Errors
/// When the system refuses one of the first two.
pub(crate) fn harden() -> io::Result<()> {
    let no_core = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // glibc would keep freed blocks of up to 32 MiB once it has seen one; musl never does.
    #[cfg(target_env = "gnu")]
    // SAFETY: takes integers only.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES)
    };
    // SAFETY: both calls take integers and a pointer to a live struct, and keep nothing.
    let answers = unsafe {
        [
            libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0),
            libc::setrlimit(libc::RLIMIT_CORE, &no_core),
        ]
    };
    if answers == [0, 0] {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Blocks from this size on have mappings of their own, as in musl, and as glibc does at first.
#[cfg(target_env = "gnu")]
const LARGE_BLOCK_BYTES: libc::c_int = 128 << 10;

/// Gives the calling thread the lowest priority: signatures go before derivations.
pub(super) fn lower_priority() {
    // SAFETY: takes integers only. On Linux, process 0 means the calling thread. A refusal does no
    // harm: the thread goes on as it was.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE_MAX) };
}

/// The lowest priority of `nice(2)`.
const NICE_MAX: libc::c_int = 19;

/// The address of a slot. It has one owner: the free list or an [`ArenaSlot`].
#[derive(Clone, Copy)]
struct SlotAddress(NonNull<[u8; SLOT_BYTES]>);

// SAFETY: a slot is plain memory without ties to a thread, and has one owner at a time.
unsafe impl Send for SlotAddress {}
// SAFETY: a shared `ArenaSlot` gives shared borrows only.
unsafe impl Sync for SlotAddress {}

/// All slabs and the free slots.
struct Arena {
    new_slab: NewSlab,
    free: Vec<SlotAddress>,
    slabs: usize,
    locked: bool,
    must_lock: bool,
}

/// The system calls of an arena: makes [`SLAB_SLOTS`] slots of zeroes that stay until the process ends, and
/// says whether they are locked.
type NewSlab = fn() -> Option<(NonNull<[u8; SLOT_BYTES]>, bool)>;

static ARENA: Mutex<Arena> = Mutex::new(Arena::new(if cfg!(miri) { on_heap } else { in_pages }));

/// Locks the arena of the process. The lock is never held while waiting for anything.
fn arena() -> MutexGuard<'static, Arena> {
    ARENA.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Changes the arena, and reports when that has taken memory that is not locked.
fn change<T>(work: impl FnOnce(&mut Arena) -> T) -> T {
    let result;
    let bytes;
    let newly_unlocked;
    {
        let mut arena = arena();
        let was_locked = arena.locked;
        bytes = arena.slabs * SLAB_BYTES;
        result = work(&mut arena);
        newly_unlocked = was_locked && !arena.locked;
    }
    // The report may use the arena, so the lock is released.
    if newly_unlocked && let Some(report) = REPORT_UNLOCKED.get() {
        report(bytes);
    }
    result
}

impl Arena {
    const fn new(new_slab: NewSlab) -> Self {
        Self {
            new_slab,
            free: Vec::new(),
            slabs: 0,
            locked: true,
            must_lock: false,
        }
    }

    fn take(&mut self) -> Result<SlotAddress, ArenaError> {
        if self.free.is_empty() {
            self.grow()?;
        }
        self.free.pop().ok_or(ArenaError::Memory)
    }

    fn give_back(&mut self, mut address: SlotAddress) {
        // SAFETY: the slot was taken from this arena, and its owner has given it up.
        unsafe { address.0.as_mut() }.zeroize();
        self.free.push(address);
    }

    fn report(&mut self) -> LockReport {
        let grown = self.slabs > 0 || self.grow().is_ok();
        LockReport {
            locked: grown && self.locked,
            bytes: self.slabs * SLAB_BYTES,
        }
    }

    fn require_lock(&mut self) -> Result<(), ArenaError> {
        self.must_lock = true;
        if self.slabs == 0 {
            self.grow()?;
        }
        self.check_lock()
    }

    fn check_lock(&self) -> Result<(), ArenaError> {
        if self.must_lock && !self.locked {
            Err(ArenaError::Lock)
        } else {
            Ok(())
        }
    }

    fn grow(&mut self) -> Result<(), ArenaError> {
        // Checked before and after, so that at most one slab is made for nothing.
        self.check_lock()?;
        let (first, locked) = (self.new_slab)().ok_or(ArenaError::Memory)?;
        self.slabs += 1;
        self.locked &= locked;
        self.check_lock()?;
        // The last slot goes in first, so that slots are handed out upwards.
        for index in (0..SLAB_SLOTS).rev() {
            // SAFETY: the slab has that many slots.
            self.free.push(SlotAddress(unsafe { first.add(index) }));
        }
        Ok(())
    }
}

/// A slab of pages, with guard pages on either side, left out of core dumps.
fn in_pages() -> Option<(NonNull<[u8; SLOT_BYTES]>, bool)> {
    const BYTES: usize = SLAB_SLOTS * SLOT_BYTES;
    // SAFETY: any size is allowed.
    let slab = unsafe { memsec::malloc_sized(BYTES) }?.cast::<[u8; SLOT_BYTES]>();
    // SAFETY: the slab has this size, and only this function has it.
    unsafe { slab.write_bytes(0, SLAB_SLOTS) };
    // SAFETY: the range is the slab. `malloc_sized` has locked it already, but does not return the result;
    // locking twice costs nothing.
    let locked = unsafe { memsec::mlock(slab.cast().as_ptr(), BYTES) };
    Some((slab, locked))
}

/// Ordinary memory, where there are no pages to lock: under Miri.
fn on_heap() -> Option<(NonNull<[u8; SLOT_BYTES]>, bool)> {
    let slots = vec![[0u8; SLOT_BYTES]; SLAB_SLOTS];
    Some((NonNull::from(slots.leak()).cast(), true))
}

impl fmt::Display for ArenaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "no memory left for keys",
            Self::Lock => {
                "memory for keys cannot be locked: raise RLIMIT_MEMLOCK (LimitMEMLOCK=, ulimit -l)"
            }
        })
    }
}

impl std::error::Error for ArenaError {}

#[cfg(test)]
mod locked_tests;

#[cfg(test)]
mod tests {
    use super::*;

    fn unlocked() -> Option<(NonNull<[u8; SLOT_BYTES]>, bool)> {
        on_heap().map(|(slab, _)| (slab, false))
    }

    fn write(mut place: SlotAddress, byte: u8) {
        // SAFETY: each test has an arena of its own, so nothing else uses the slot.
        unsafe { *place.0.as_mut() = [byte; SLOT_BYTES] }
    }

    fn read(place: SlotAddress) -> [u8; SLOT_BYTES] {
        // SAFETY: as in `write`.
        unsafe { *place.0.as_ref() }
    }

    #[test]
    fn a_slot_is_zero_when_taken_and_wiped_when_given_back() {
        let mut arena = Arena::new(on_heap);
        let place = arena.take().unwrap();
        assert_eq!(read(place), [0; SLOT_BYTES]);
        write(place, 0xa5);
        arena.give_back(place);
        assert_eq!(read(place), [0; SLOT_BYTES]);
        assert_eq!(
            arena.take().unwrap().0,
            place.0,
            "a free slot is used again"
        );
    }

    #[test]
    fn slots_do_not_overlap_and_a_slab_is_full_before_the_next() {
        let mut arena = Arena::new(on_heap);
        let places: Vec<SlotAddress> = (0..SLAB_SLOTS).map(|_| arena.take().unwrap()).collect();
        assert_eq!(arena.report().bytes, SLAB_BYTES);
        let next = arena.take().unwrap();
        assert_eq!(arena.report().bytes, 2 * SLAB_BYTES);
        for (index, &place) in places.iter().enumerate() {
            write(place, u8::try_from(index % 251).unwrap());
        }
        write(next, 0xff);
        for (index, &place) in places.iter().enumerate() {
            assert_eq!(
                read(place),
                [u8::try_from(index % 251).unwrap(); SLOT_BYTES],
                "slot {index}"
            );
        }
    }

    #[test]
    fn memory_that_is_not_locked_is_reported_or_refused() {
        let mut arena = Arena::new(unlocked);
        assert!(arena.take().is_ok());
        assert_eq!(
            arena.report(),
            LockReport {
                locked: false,
                bytes: SLAB_BYTES
            }
        );
        assert_eq!(arena.require_lock(), Err(ArenaError::Lock));

        let mut arena = Arena::new(on_heap);
        assert_eq!(arena.require_lock(), Ok(()));
        arena.new_slab = unlocked;
        assert!((0..SLAB_SLOTS).all(|_| arena.take().is_ok()));
        for _ in 0..3 {
            assert_eq!(
                arena.take().err(),
                Some(ArenaError::Lock),
                "the second slab cannot be locked"
            );
        }
        assert_eq!(
            arena.report(),
            LockReport {
                locked: false,
                bytes: 2 * SLAB_BYTES
            }
        );
    }

    #[test]
    fn without_memory_there_is_no_slot() {
        let mut arena = Arena::new(|| None);
        assert_eq!(arena.take().err(), Some(ArenaError::Memory));
        assert_eq!(
            arena.report(),
            LockReport {
                locked: false,
                bytes: 0
            }
        );
    }

    #[test]
    fn threads_take_and_drop_slots_of_their_own() {
        std::thread::scope(|scope| {
            for byte in 1..=4 {
                scope.spawn(move || {
                    for _ in 0..100 {
                        let mut slot = ArenaSlot::take().unwrap();
                        assert_eq!(slot.bytes(), &[0; SLOT_BYTES]);
                        *slot.bytes_mut() = [byte; SLOT_BYTES];
                        assert_eq!(slot.bytes(), &[byte; SLOT_BYTES]);
                    }
                });
            }
        });
    }
}
