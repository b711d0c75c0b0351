//! EC2: everything that a packet meets on its way out of a VPC and back, read by VPC and never by node.

mod endpoint;
mod filter;
mod gateway;
mod instance;
mod interface;
mod launch_template;
mod prefix_list;
mod routing;
mod transit;
mod vpc;
mod write;
mod write_profile;
mod write_rules;

pub use write::{EndpointChanges, NewEndpoint};

use aws_sdk_ec2::types::{Filter, Tag as TheirTag};

use crate::aws::pages::{Unclear, Understand};
use crate::model::iam::Tag;

/// The most rows that EC2 gives in one page.
const PAGE: i32 = 1000;

/// All rows with one of these values.
fn filter(name: &str, values: impl IntoIterator<Item = impl Into<String>>) -> Filter {
    let values = values.into_iter().map(Into::into).collect();
    Filter::builder().name(name).set_values(Some(values)).build()
}

/// All rows of one VPC.
fn in_vpc(vpc: &str) -> Filter {
    filter("vpc-id", [vpc])
}

impl Understand<TheirTag> for Tag {
    fn understand(tag: TheirTag) -> Result<Tag, Unclear> {
        Ok(Tag { key: tag.key.unwrap_or_default(), value: tag.value.unwrap_or_default() })
    }
}
