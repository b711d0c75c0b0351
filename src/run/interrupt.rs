//! Ctrl-C, SIGTERM, and the end of the terminal: the first finishes the write in flight and stops, the second stops now.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;

use crate::error::Code;

/// Whether somebody asked us to stop.
#[derive(Clone, Debug, Default)]
pub struct Interrupt {
    count: Arc<AtomicUsize>,
    notify: Arc<Notify>,
}

impl Interrupt {
    /// Listens from now on. Without signals of the operating system it never fires.
    pub fn listen() -> Interrupt {
        let interrupt = Interrupt::default();
        for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
            if let Ok(signals) = signal(kind) {
                tokio::spawn(interrupt.clone().count(signals));
            }
        }
        interrupt
    }

    /// Whether somebody asked us to stop.
    pub fn asked(&self) -> bool {
        self.count.load(Ordering::SeqCst) > 0
    }

    /// Waits until somebody asks us to stop.
    pub async fn wait(&self) {
        while !self.asked() {
            self.notify.notified().await;
        }
    }

    async fn count(self, mut signals: Signal) {
        while signals.recv().await.is_some() {
            if self.count.fetch_add(1, Ordering::SeqCst) > 0 {
                // The journal says what was in flight; the next rollback reads the world back.
                crate::render::complain("stopped at once: `ecr-fix runs list` shows what may be left\n");
                std::process::exit(i32::from(Code::Interrupted.exit()));
            }
            self.notify.notify_waiters();
            self.notify.notify_one();
        }
    }
}
