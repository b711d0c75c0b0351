//! What happens during a run, for whoever follows along: a person, or a program.

use std::time::Duration;

use serde::Serialize;
use tokio::time::{Instant, interval_at};

use super::ActionState;
use crate::actions::Kind;

/// Which way a change goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// As planned.
    Forward,
    /// Back to how it was.
    Back,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Progress {
    /// A change is about to be sent.
    ApplyStart {
        /// The id of the action.
        action: String,
        /// What is sent.
        kind: Kind,
        /// The ARN or id of what changes.
        resource: String,
        /// In one line.
        summary: String,
        /// Forward or back.
        way: Way,
    },
    /// It is still under way.
    ApplyProgress {
        /// The id of the action; none where everything is looked at.
        #[serde(skip_serializing_if = "Option::is_none")]
        action: Option<String>,
        /// What is waited for.
        doing: String,
        /// So far.
        elapsed_seconds: u64,
    },
    /// It is done, or there was nothing to do.
    ApplyComplete {
        /// The id of the action.
        action: String,
        /// How it stands now.
        state: ActionState,
        /// In words.
        because: String,
    },
    /// It is not done.
    ApplyErrored {
        /// The id of the action.
        action: String,
        /// How it stands now.
        state: ActionState,
        /// Why.
        because: String,
    },
}

impl Progress {
    /// In one line, for a person.
    pub fn text(&self) -> String {
        match self {
            Progress::ApplyStart { action, summary, .. } => format!("{action}: {summary} …"),
            Progress::ApplyProgress { action, doing, elapsed_seconds } => {
                let of = action.as_ref().map(|action| format!("{action}: ")).unwrap_or_default();
                format!("{of}{doing}, {elapsed_seconds} s so far …")
            }
            Progress::ApplyComplete { action, because, .. } => format!("{action}: {because}"),
            Progress::ApplyErrored { action, because, .. } => format!("{action}: not done: {because}"),
        }
    }
}

/// How often somebody who waits hears that it goes on.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// Waits for something, and says again and again that it goes on.
pub async fn with_heartbeat<T>(
    tell: &dyn Fn(&Progress),
    action: Option<&str>,
    doing: &str,
    what: impl Future<Output = T>,
) -> T {
    let started = Instant::now();
    let mut beats = interval_at(started + HEARTBEAT, HEARTBEAT);
    tokio::pin!(what);
    loop {
        tokio::select! {
            biased;
            done = &mut what => return done,
            _ = beats.tick() => tell(&Progress::ApplyProgress {
                action: action.map(str::to_owned),
                doing: doing.to_owned(),
                elapsed_seconds: started.elapsed().as_secs(),
            }),
        }
    }
}
