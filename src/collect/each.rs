//! Reads some things of a kind at once, but not all of a thousand.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::aws::Reader;

/// How many things of one kind are read at once. More gets no faster, and AWS begins to refuse.
const AT_ONCE: usize = 16;

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
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let mut reads = JoinSet::new();
    for id in ids {
        let (reading, turns) = (read(reader.clone(), id.clone()), Arc::clone(&turns));
        reads.spawn(async move {
            // Nobody closes it, so everybody gets a turn.
            let _turn = turns.acquire().await;
            (id, reading.await)
        });
    }
    let mut answers = reads.join_all().await;
    answers.sort_by(|(one, _), (other, _)| one.cmp(other));
    answers
}
