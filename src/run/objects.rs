//! The shared place of records: objects below a prefix of a bucket, each written only under a condition.

use std::fmt::Debug;
use std::sync::{Arc, OnceLock, mpsc};

use crate::aws::{Bucket, Object, Only, Put, Reason, Refused};
use crate::error::{Code, Error};

/// What S3 does for us. A write that is refused by its condition has written nothing, whoever else writes.
pub(super) trait Objects: Debug + Send + Sync {
    /// An object; nothing where there is none.
    fn get(&self, key: &str) -> Result<Option<Object>, Error>;

    /// Writes an object under a condition.
    fn put(&self, key: &str, bytes: &[u8], only: Only<'_>) -> Result<Put, Error>;

    /// The keys that begin so, sorted; cut after the delimiter where they have it.
    fn list(&self, begin: &str, delimiter: Option<&str>) -> Result<Vec<String>, Error>;

    /// Many objects, in the order of their keys.
    fn get_all(&self, keys: &[String]) -> Result<Vec<Option<Object>>, Error> {
        keys.iter().map(|key| self.get(key)).collect()
    }
}

/// Where records are shared: `s3://bucket/prefix`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The name of the bucket.
    pub bucket: String,
    /// Without a slash at either end; empty for the whole bucket.
    pub prefix: String,
}

/// The records below a prefix.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    address: Address,
    objects: Arc<dyn Objects>,
}

impl Address {
    /// Reads `s3://bucket/prefix`; nothing where the text is a path.
    ///
    /// # Errors
    /// It is neither.
    pub fn parse(text: &str) -> Result<Option<Address>, Error> {
        let Some(rest) = text.strip_prefix("s3://") else {
            return if text.contains("://") || text.starts_with("s3:") {
                Err(not_a_place(text))
            } else {
                Ok(None)
            };
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        let of_bucket = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-".contains(c);
        // What stands in a command that we print must not mean anything to a shell.
        let of_prefix = |c: char| c.is_ascii_alphanumeric() || "._-=@+".contains(c);
        let is_part = |part: &str| !["", ".", ".."].contains(&part) && part.chars().all(of_prefix);
        let is_valid = (3..=63).contains(&bucket.len())
            && bucket.chars().all(of_bucket)
            && (prefix.is_empty() || prefix.split('/').all(is_part));
        if !is_valid {
            return Err(not_a_place(text));
        }
        Ok(Some(Address { bucket: bucket.to_owned(), prefix: prefix.to_owned() }))
    }

    /// The key of an object below the prefix.
    fn key(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.to_owned() } else { format!("{}/{name}", self.prefix) }
    }
}

fn not_a_place(text: &str) -> Error {
    Error::new(
        Code::Usage,
        format!("{text} is no place for records"),
        "name a directory, or s3://BUCKET/PREFIX, with letters, digits and . _ - = @ + in the prefix",
    )
}

impl std::fmt::Display for Address {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "s3://{}", self.bucket)?;
        if self.prefix.is_empty() { Ok(()) } else { write!(out, "/{}", self.prefix) }
    }
}

impl Shared {
    /// Finds the bucket, which must exist.
    ///
    /// # Errors
    /// It does not, it may not be listed, or S3 is out of reach.
    pub(super) fn open(address: Address) -> Result<Shared, Error> {
        let place = address.clone();
        let opened = in_background(async move { Bucket::open(&place.bucket, &place.key("")).await });
        let bucket = opened.map_err(|refused| explained(&refused))?;
        Ok(Shared { address, objects: Arc::new(bucket) })
    }

    /// Where an object is, for people.
    pub(super) fn place(&self, name: &str) -> String {
        format!("s3://{}/{}", self.address.bucket, self.address.key(name))
    }

    /// An object; nothing where there is none.
    pub(super) fn get(&self, name: &str) -> Result<Option<Object>, Error> {
        self.objects.get(&self.address.key(name))
    }

    /// Many objects, in the order of their names.
    pub(super) fn get_all(&self, names: &[String]) -> Result<Vec<Option<Object>>, Error> {
        let keys: Vec<String> = names.iter().map(|name| self.address.key(name)).collect();
        self.objects.get_all(&keys)
    }

    /// Writes an object under a condition, and gives its new tag. Where the condition does not hold because an earlier
    /// try of ours was made and its answer was lost, it was made.
    pub(super) fn put(&self, name: &str, bytes: &[u8], only: Only<'_>) -> Result<Put, Error> {
        match self.objects.put(&self.address.key(name), bytes, only)? {
            Put::Unmet => Ok(match self.get(name)?.filter(|found| found.bytes == bytes) {
                Some(found) => Put::Done(found.tag),
                None => Put::Unmet,
            }),
            done => Ok(done),
        }
    }

    /// The names that begin so, sorted; cut after the delimiter where they have it.
    pub(super) fn list(&self, begin: &str, delimiter: Option<&str>) -> Result<Vec<String>, Error> {
        let keys = self.objects.list(&self.address.key(begin), delimiter)?;
        let own = self.address.key("");
        Ok(keys.iter().filter_map(|key| key.strip_prefix(&own)).map(str::to_owned).collect())
    }

    /// Whether writes are refused whose condition does not hold. Some stores that speak like S3 do not look at
    /// conditions at all: there, a lock would be no lock. `name` is that of an object that is there.
    pub(super) fn keeps_conditions(&self, name: &str) -> Result<bool, Error> {
        Ok(self.objects.put(&self.address.key(name), b"{}", Only::New)? == Put::Unmet)
    }
}

/// As many requests at once when many objects are read.
const AT_ONCE: usize = 16;

impl Objects for Bucket {
    fn get(&self, key: &str) -> Result<Option<Object>, Error> {
        let (bucket, key) = (self.clone(), key.to_owned());
        in_background(async move { bucket.get(&key).await }).map_err(|refused| explained(&refused))
    }

    fn put(&self, key: &str, bytes: &[u8], only: Only<'_>) -> Result<Put, Error> {
        let (bucket, key, bytes) = (self.clone(), key.to_owned(), bytes.to_vec());
        let tag = match only {
            Only::New => None,
            Only::Unchanged(tag) => Some(tag.to_owned()),
        };
        let put = in_background(async move {
            bucket.put(&key, &bytes, tag.as_deref().map_or(Only::New, Only::Unchanged)).await
        });
        put.map_err(|refused| explained(&refused))
    }

    fn list(&self, begin: &str, delimiter: Option<&str>) -> Result<Vec<String>, Error> {
        let (bucket, begin, delimiter) = (self.clone(), begin.to_owned(), delimiter.map(str::to_owned));
        in_background(async move { bucket.list(&begin, delimiter.as_deref()).await })
            .map_err(|refused| explained(&refused))
    }

    fn get_all(&self, keys: &[String]) -> Result<Vec<Option<Object>>, Error> {
        let (bucket, keys) = (self.clone(), keys.to_vec());
        let all = in_background(async move {
            let mut objects = Vec::new();
            for keys in keys.chunks(AT_ONCE) {
                let get = |key: &String| {
                    let (bucket, key) = (bucket.clone(), key.clone());
                    tokio::spawn(async move { bucket.get(&key).await })
                };
                let gets: Vec<_> = keys.iter().map(get).collect();
                for got in gets {
                    objects.push(got.await.map_err(|_| interrupted())??);
                }
            }
            Ok(objects)
        });
        all.map_err(|refused| explained(&refused))
    }
}

/// What stops a command that cannot reach its records.
fn explained(refused: &Refused) -> Error {
    let what = "the shared records cannot be used";
    match refused.reason {
        Reason::NotFound => {
            let hint = "make the bucket, or name another with --state: ecr-fix makes no buckets";
            Error::new(Code::NotFound, what, hint).because(refused).because(&refused.message)
        }
        Reason::Denied => {
            let hint = format!(
                "allow {} for the identity that the SDK's environment names; `ecr-fix permissions --state s3://…` prints the policy",
                refused.call
            );
            Error::new(Code::AccessDenied, what, hint).because(refused).because(&refused.message)
        }
        Reason::NoCredentials | Reason::BadCredentials => {
            let hint = "log in, and set AWS_PROFILE or AWS_ACCESS_KEY_ID: --profile is about the cluster";
            Error::new(Code::Credentials, what, hint).because(refused).because(&refused.message)
        }
        _ => refused.error(what),
    }
}

/// Waits for something on threads of its own, so that whoever waits may be anywhere: on a thread of the runtime, on one
/// of another's, or in a destructor.
fn in_background<T: Send + 'static>(
    what: impl Future<Output = Result<T, Refused>> + Send + 'static,
) -> Result<T, Refused> {
    static RUNTIME: OnceLock<Option<tokio::runtime::Runtime>> = OnceLock::new();
    let started = || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().ok();
    let runtime = RUNTIME.get_or_init(started).as_ref().ok_or_else(interrupted)?;
    let (answer, answered) = mpsc::channel();
    runtime.spawn(async move { answer.send(what.await) });
    answered.recv().map_err(|_| interrupted())?
}

fn interrupted() -> Refused {
    Refused::never_sent("s3", "there are no threads to ask it with")
}

#[cfg(test)]
pub(super) mod memory {
    //! A bucket in memory, which keeps the promises of S3 and can be told to fail.

    use std::collections::BTreeMap;
    use std::sync::{Mutex, PoisonError};
    use std::time::Duration;

    use super::*;

    /// What goes wrong.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Trouble {
        /// The request does not arrive.
        Lost,
        /// The answer does not arrive.
        AnswerLost,
    }

    #[derive(Debug, Default)]
    struct State {
        objects: BTreeMap<String, (Vec<u8>, u64, u64)>,
        writes: u64,
        now: u64,
        trouble: BTreeMap<u64, Trouble>,
        tries: u64,
        ignores_conditions: bool,
    }

    impl State {
        /// Gives the new tag.
        fn write(&mut self, key: &str, bytes: &[u8]) -> String {
            self.writes += 1;
            self.objects.insert(key.to_owned(), (bytes.to_vec(), self.writes, self.now));
            self.writes.to_string()
        }
    }

    /// The bucket.
    #[derive(Debug, Default)]
    pub(crate) struct Memory(Mutex<State>);

    impl Memory {
        fn state(&self) -> std::sync::MutexGuard<'_, State> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }

        /// Time goes by at S3.
        pub(crate) fn pass(&self, seconds: u64) {
            self.state().now += seconds;
        }

        /// The write with this number, counted from 1, fails.
        pub(crate) fn trouble(&self, number: u64, trouble: Trouble) {
            self.state().trouble.insert(number, trouble);
        }

        /// How many writes were tried.
        pub(crate) fn tries(&self) -> u64 {
            self.state().tries
        }

        /// From now on it does not look at conditions.
        pub(crate) fn ignore_conditions(&self) {
            self.state().ignores_conditions = true;
        }

        /// Somebody writes, without asking.
        pub(crate) fn overwrite(&self, key: &str, bytes: &[u8]) {
            self.state().write(key, bytes);
        }

        /// Somebody deletes.
        pub(crate) fn delete(&self, key: &str) {
            assert!(self.state().objects.remove(key).is_some(), "{key}");
        }

        /// What there is.
        pub(crate) fn keys(&self) -> Vec<String> {
            self.state().objects.keys().cloned().collect()
        }
    }

    impl Objects for Memory {
        fn get(&self, key: &str) -> Result<Option<Object>, Error> {
            let state = self.state();
            Ok(state.objects.get(key).map(|(bytes, tag, written)| Object {
                bytes: bytes.clone(),
                tag: tag.to_string(),
                age: Duration::from_secs(state.now - written),
            }))
        }

        fn put(&self, key: &str, bytes: &[u8], only: Only<'_>) -> Result<Put, Error> {
            let mut state = self.state();
            state.tries += 1;
            let tries = state.tries;
            let trouble = state.trouble.get(&tries).copied();
            let failed = || Err(Error::new(Code::Aws, "the network failed", "try again"));
            if trouble == Some(Trouble::Lost) {
                return failed();
            }
            let known = state.objects.get(key).map(|(_, tag, _)| tag.to_string());
            let met = match only {
                Only::New => known.is_none(),
                Only::Unchanged(tag) => known.as_deref() == Some(tag),
            };
            if !met && !state.ignores_conditions {
                return Ok(Put::Unmet);
            }
            let tag = state.write(key, bytes);
            if trouble == Some(Trouble::AnswerLost) { failed() } else { Ok(Put::Done(tag)) }
        }

        fn list(&self, begin: &str, delimiter: Option<&str>) -> Result<Vec<String>, Error> {
            let cut = |key: String| {
                let (text, below) = (delimiter?, key.strip_prefix(begin)?);
                let (first, _) = below.split_once(text)?;
                Some(format!("{begin}{first}{text}"))
            };
            let cut = |key: String| cut(key.clone()).unwrap_or(key);
            let mut keys: Vec<String> =
                self.keys().into_iter().filter(|key| key.starts_with(begin)).map(cut).collect();
            keys.dedup();
            Ok(keys)
        }
    }

    impl Shared {
        /// Records in memory.
        pub(crate) fn in_memory() -> (Shared, Arc<Memory>) {
            let memory = Arc::new(Memory::default());
            let address = Address { bucket: "records".to_owned(), prefix: "team".to_owned() };
            (Shared { address, objects: Arc::<Memory>::clone(&memory) }, memory)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::memory::Trouble;
    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        for (text, bucket, prefix) in [
            ("s3://records", "records", ""),
            ("s3://records/", "records", ""),
            ("s3://my.records-1/team/ecr-fix/", "my.records-1", "team/ecr-fix"),
        ] {
            let address = Address::parse(text).unwrap().unwrap();
            assert_eq!((address.bucket.as_str(), address.prefix.as_str()), (bucket, prefix));
            assert_eq!(address.to_string(), text.trim_end_matches('/'));
        }
        assert_eq!(Address::parse("/var/lib/s3:").unwrap(), None);
        for text in [
            "s3://",
            "s3://ab",
            "s3://Records",
            "s3://records//x",
            "s3://records/../x",
            "s3://records/$(id)",
            "s3://records/a b",
            "s3:/records",
            "S3://records",
            "gs://records",
        ] {
            assert_eq!(Address::parse(text).unwrap_err().code, Code::Usage, "{text}");
        }
    }

    #[test]
    fn a_write_whose_answer_was_lost_counts_as_made_when_it_is_tried_again() {
        let (shared, memory) = Shared::in_memory();
        memory.trouble(1, Trouble::AnswerLost);
        assert!(shared.put("a", b"1", Only::New).is_err());
        assert!(matches!(shared.put("a", b"1", Only::New).unwrap(), Put::Done(_)), "it is ours");
        assert_eq!(shared.put("a", b"2", Only::New).unwrap(), Put::Unmet);
        assert_eq!(shared.list("", None).unwrap(), ["a"]);
        assert_eq!(shared.place("a"), "s3://records/team/a");
    }
}
