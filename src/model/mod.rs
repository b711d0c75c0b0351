//! The world as data, in the shapes that the AWS CLI and kubectl print.

pub mod arn;
pub mod ec2;
pub mod eks;
pub mod iam;
pub mod partition;
pub mod policy_text;
pub mod seen;
pub mod snapshot;

pub use arn::Arn;
pub use partition::Partition;
pub use policy_text::PolicyText;
pub use seen::Seen;
pub use snapshot::{Snapshot, Unread};
