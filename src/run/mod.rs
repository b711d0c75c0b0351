//! The engine that changes a world: forward and back, with its journal written first.

mod approval;
mod engine;
mod files;
mod interrupt;
mod journal;
mod lease;
mod lock;
mod objects;
mod progress;
mod record;
mod run_dir;
mod state_dir;
mod tape;
mod world;

pub use approval::AllowedSigners;
pub use engine::{Back, Engine, NotMade, Outcome, Patience, Why, start};
pub use interrupt::Interrupt;
pub use journal::{Chain, Event, Journal, RECORD_VERSION, Reasons, Signer};
pub use lock::{Lock, lock_name};
pub use objects::Address;
pub use progress::{Progress, Way, with_heartbeat};
pub use record::{ActionRecord, ActionState, Confirmation, Record, RunState, read_events, read_plan};
pub use run_dir::{RunDir, SharedRun};
pub use state_dir::{StateDir, address, redaction_secret, run_id, used};
pub use world::World;
