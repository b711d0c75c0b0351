//! The engine that changes a world: forward and back, with its journal written first.

mod engine;
mod interrupt;
mod journal;
mod lock;
mod record;
mod state_dir;
mod world;

pub use engine::{Engine, NotMade, Outcome, Patience, Why, start};
pub use interrupt::Interrupt;
pub use journal::{Chain, Event, Journal};
pub use lock::{Lock, lock_name};
pub use record::{ActionRecord, ActionState, Record, RunState, read_plan};
pub use state_dir::{StateDir, run_id, used};
pub use world::World;
