//! Budgets that all connections share: bytes of memory, and threads.

use std::sync::atomic::{AtomicUsize, Ordering};

/// An amount of which parts are reserved and given back.
pub(super) struct Budget {
    amount_max: usize,
    reserved: AtomicUsize,
    /// What was charged without asking.
    charged: AtomicUsize,
}

/// A reserved part of a budget; given back when dropped.
pub(super) struct Reservation<'a> {
    budget: &'a Budget,
    amount: usize,
}

/// A cost that cannot be refused; taken off again when dropped.
pub(super) struct Charge<'a> {
    budget: &'a Budget,
    amount: usize,
}

/// Memory of connections that counts as the process's own: three hundred of them at work. Only what is
/// beyond leaves less to reserve.
const CHARGE_FREE_BYTES: usize = 8 * 1024 * 1024;

impl Budget {
    /// A budget of this amount, of which nothing is reserved.
    pub(super) fn new(amount_max: usize) -> Self {
        Self {
            amount_max,
            reserved: AtomicUsize::new(0),
            charged: AtomicUsize::new(0),
        }
    }

    /// Reserves `amount`; `None` when less is left.
    pub(super) fn reserve(&self, amount: usize) -> Option<Reservation<'_>> {
        // Not `then_some`, which would make and drop a reservation that was refused.
        self.try_add(amount).then(|| Reservation {
            budget: self,
            amount,
        })
    }

    /// Charges what a connection costs.
    pub(super) fn charge(&self, bytes: usize) -> Charge<'_> {
        self.charged.fetch_add(bytes, Ordering::AcqRel);
        Charge {
            budget: self,
            amount: bytes,
        }
    }

    fn try_add(&self, amount: usize) -> bool {
        let charged = self.charged.load(Ordering::Acquire);
        let available = self
            .amount_max
            .saturating_sub(charged.saturating_sub(CHARGE_FREE_BYTES));
        self.reserved
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |reserved| {
                let sum = reserved.checked_add(amount)?;
                (sum <= available).then_some(sum)
            })
            .is_ok()
    }

    /// The whole amount.
    pub(super) fn amount(&self) -> usize {
        self.amount_max
    }

    /// What is reserved now.
    pub(super) fn reserved(&self) -> usize {
        self.reserved.load(Ordering::Relaxed)
    }
}

impl Reservation<'_> {
    /// Reserves more. Returns whether there was enough.
    pub(super) fn grow(&mut self, amount: usize) -> bool {
        let has_grown = self.budget.try_add(amount);
        if has_grown {
            self.amount += amount;
        }
        has_grown
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.budget
            .reserved
            .fetch_sub(self.amount, Ordering::AcqRel);
    }
}

impl Drop for Charge<'_> {
    fn drop(&mut self) {
        self.budget.charged.fetch_sub(self.amount, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_connections_leave_less_memory_to_reserve() {
        let memory = Budget::new(1_000);
        let _free = memory.charge(CHARGE_FREE_BYTES);
        assert!(memory.reserve(1_000).is_some());
        {
            let _more = memory.charge(900);
            assert!(memory.reserve(101).is_none());
            let mut reservation = memory.reserve(60).expect("100 bytes are left");
            assert!(!reservation.grow(41));
            assert!(reservation.grow(40));
        }
        assert!(memory.reserve(1_000).is_some());
        assert!(memory.reserve(1_001).is_none());
    }
}
