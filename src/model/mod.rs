//! The world as data, in the shapes that the AWS CLI and kubectl print.

pub mod arn;
pub mod aws_accounts;
pub mod dns_firewall;
pub mod ec2;
pub mod ecr;
pub mod ecr_host;
pub mod eks;
pub mod iam;
pub mod image_ref;
mod joining;
pub mod kms;
pub mod kubernetes;
pub mod network_firewall;
pub mod organizations;
pub mod partition;
pub mod policy_text;
pub mod redact;
pub mod route53;
pub mod seen;
pub mod snapshot;

pub use arn::Arn;
pub use ecr_host::EcrHost;
pub use image_ref::ImageRef;
pub use partition::{Partition, endpoint_service_names};
pub use policy_text::PolicyText;
pub use seen::Seen;
pub use snapshot::{Snapshot, Unread};
