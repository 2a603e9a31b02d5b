//! Wakes tasks of the same thread: monoio's wakers must not cross threads, these do not.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

/// A flag that tasks wait for, and any task of their thread raises.
#[derive(Default)]
pub(super) struct Signal {
    raised: Cell<bool>,
    waiters: RefCell<Vec<Waker>>,
}

impl Signal {
    /// Raises the flag, and wakes who waits for it. The woken run after all that are ready.
    pub(super) fn raise(&self) {
        self.raised.set(true);
        self.waiters.borrow_mut().drain(..).for_each(Waker::wake);
    }

    pub(super) fn is_raised(&self) -> bool {
        self.raised.get()
    }

    /// Ready once the flag is raised; it stays raised.
    pub(super) fn poll_raised(&self, context: &Context<'_>) -> Poll<()> {
        if self.raised.get() {
            return Poll::Ready(());
        }
        let mut waiters = self.waiters.borrow_mut();
        if !waiters.iter().any(|waker| waker.will_wake(context.waker())) {
            waiters.push(context.waker().clone());
        }
        Poll::Pending
    }

    /// Waits for the flag, and lowers it.
    pub(super) async fn lowered(&self) {
        poll_fn(|context| self.poll_raised(context)).await;
        self.raised.set(false);
    }

    /// Lowers the flag, if it is raised.
    pub(super) fn lower(&self) {
        self.raised.set(false);
    }
}
