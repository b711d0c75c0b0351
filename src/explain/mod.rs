//! What an error message of a pull means: pure, from text to causes.
//!
//! A message is read once into a [`Message`] of typed facts, by the grammar of the runtimes; every cause then
//! looks at the facts and says whether it may be the reason.

pub mod connection;
pub mod credentials;
pub mod denial;
mod images;
pub mod message;
pub mod next;
pub mod redact;
pub mod request;
pub mod said;
mod text;
pub mod wrapping;

pub use message::{Known, Message};
pub use wrapping::Runtime;

use serde::Serialize;

use crate::checks::{self, Cause, Recognition};
use crate::model::ImageRef;

/// Fits every message of which nothing else is known.
const UNCLASSIFIED: &str = "unclassified";

/// What a message means.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// Whether a registry of ECR is concerned.
    pub in_scope: bool,
    /// Whose words they are.
    pub runtime: Runtime,
    /// The image, as far as the message names one.
    pub image: Option<ImageRef>,
    /// Most likely first; never empty.
    pub causes: Vec<Reason>,
    /// The message as it was read: one line, without secrets.
    pub message: String,
}

/// A cause, and why it may be the one.
#[derive(Clone, Debug, Serialize)]
pub struct Reason {
    /// As in the catalogue.
    pub id: &'static str,
    /// How likely it is, and what says so.
    #[serde(flatten)]
    pub recognition: Recognition,
}

/// Explains one message.
pub fn explain(raw: &str, known: &Known) -> Explanation {
    let message = Message::read(raw, known);
    Explanation {
        in_scope: message.is_in_scope(),
        runtime: message.wrapping.runtime,
        causes: causes(&message),
        image: message.image,
        message: message.text,
    }
}

/// The causes that a message may have, most likely first.
pub fn causes(message: &Message) -> Vec<Reason> {
    let recognised = |cause: &&Cause| {
        let recognition = (cause.recognise)(message)?;
        Some(Reason { id: cause.id, recognition })
    };
    let mut found: Vec<Reason> = checks::ALL.iter().filter_map(recognised).collect();
    if found.len() > 1 {
        found.retain(|reason| reason.id != UNCLASSIFIED);
    }
    // A stable sort: causes of one rank stay in the order of a pull.
    found.sort_by_key(|reason| std::cmp::Reverse(reason.recognition.rank()));
    found
}
