//! [`scrubbed`]: work that leaves no secrets on the stack.

/// How much of the stack is overwritten: several times what key derivation and ciphers use, and far less than
/// the stack of any thread.
const SCRUBBED_BYTES: usize = 16 << 10;

/// Does `work` in stack frames of its own and overwrites these afterwards. The cipher and hash crates keep
/// padded passwords and key schedules in local variables and do not wipe all of them. The frame of the
/// caller is not overwritten.
pub(crate) fn scrubbed<T>(work: impl FnOnce() -> T) -> T {
    scrubbed_frames::<SCRUBBED_BYTES, T>(work)
}

/// The same, for work whose frames take up to `BYTES`.
pub(super) fn scrubbed_frames<const BYTES: usize, T>(work: impl FnOnce() -> T) -> T {
    #[inline(never)]
    fn in_own_frame<T>(work: impl FnOnce() -> T) -> T {
        work()
    }
    #[inline(never)]
    fn overwrite_stack<const BYTES: usize>() {
        std::hint::black_box(&mut [0_u8; BYTES]);
    }
    let result = in_own_frame(work);
    overwrite_stack::<BYTES>();
    result
}
