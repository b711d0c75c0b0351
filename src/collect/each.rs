//! Reads some things of a kind at once, but not all of a thousand.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::aws::Reader;

/// How many things of one kind are read at once. More gets no faster, and AWS begins to refuse.
const AT_ONCE: usize = 16;

/// A right to be among those that read at once.
#[derive(Clone, Debug)]
pub(super) struct Turns(Arc<Semaphore>);

impl Turns {
    /// Of one service.
    pub(super) fn new() -> Turns {
        Turns(Arc::new(Semaphore::new(AT_ONCE)))
    }

    /// Waits for a turn, then reads. Whoever has a turn must not wait for another.
    pub(super) async fn take<T>(&self, reading: impl Future<Output = T>) -> T {
        // Nobody closes it, so everybody gets a turn.
        let _turn = self.0.acquire().await;
        reading.await
    }
}

/// What was read of each of some things, by its id.
pub(super) type Each<T> = Vec<(String, T)>;

/// Reads some things at once; the answers are in the order of their ids.
pub(super) async fn each<T, Reading>(
    reader: &Reader,
    ids: impl IntoIterator<Item = String>,
    read: impl Fn(Reader, String) -> Reading,
) -> Each<T>
where
    T: Send + 'static,
    Reading: Future<Output = T> + Send + 'static,
{
    let turns = Turns::new();
    let mut reads = JoinSet::new();
    for id in ids {
        let (reading, turns) = (read(reader.clone(), id.clone()), turns.clone());
        reads.spawn(async move { (id, turns.take(reading).await) });
    }
    let mut answers = reads.join_all().await;
    answers.sort_by(|(one, _), (other, _)| one.cmp(other));
    answers
}

#[tokio::test]
async fn only_some_read_at_once() {
    use std::sync::atomic::{AtomicUsize, Ordering};

    let (turns, now, most) = (Turns::new(), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut reads = JoinSet::new();
    for _ in 0..10 * AT_ONCE {
        let (turns, now, most) = (turns.clone(), Arc::clone(&now), Arc::clone(&most));
        reads.spawn(async move {
            let reading = async {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                now.fetch_sub(1, Ordering::SeqCst);
            };
            turns.take(reading).await;
        });
    }
    reads.join_all().await;
    assert_eq!(most.load(Ordering::SeqCst), AT_ONCE);
}
