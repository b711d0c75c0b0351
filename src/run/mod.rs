//! The engine that changes a world: forward and back, with its journal written first.

mod approval;
mod engine;
mod interrupt;
mod journal;
mod lock;
mod progress;
mod record;
mod state_dir;
mod world;

pub use approval::AllowedSigners;
pub use engine::{Back, Engine, NotMade, Outcome, Patience, Why, start};
pub use interrupt::Interrupt;
pub use journal::{Chain, Event, Journal, RECORD_VERSION, Reasons, Signer};
pub use lock::{Lock, lock_name};
pub use progress::{Progress, Way, with_heartbeat};
pub use record::{ActionRecord, ActionState, Confirmation, Record, RunState, read_events, read_plan};
pub use state_dir::{StateDir, run_id, used};
pub use world::World;
