//! Amazon Resource Names, read and taken apart.

use std::fmt;
use std::str::FromStr;

/// `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`, from the IAM user guide, "Amazon Resource Names".
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Arn {
    /// `aws`, `aws-cn`, `aws-us-gov`, …
    pub partition: String,
    /// `iam`, `ecr`, …
    pub service: String,
    /// Empty for global services.
    pub region: String,
    /// Twelve digits, `aws` for what AWS owns, or empty.
    pub account: String,
    /// Everything after the fifth colon, with its own colons and slashes.
    pub resource: String,
}

impl Arn {
    /// The last path segment: `node` of `role/team/node`.
    pub fn resource_name(&self) -> &str {
        self.resource.rsplit('/').next().unwrap_or_default()
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Arn { partition, service, region, account, resource } = self;
        write!(out, "arn:{partition}:{service}:{region}:{account}:{resource}")
    }
}

impl FromStr for Arn {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        match parts.as_slice() {
            ["arn", partition, service, region, account, resource]
                if !partition.is_empty() && !service.is_empty() && !resource.is_empty() =>
            {
                Ok(Arn {
                    partition: (*partition).to_owned(),
                    service: (*service).to_owned(),
                    region: (*region).to_owned(),
                    account: (*account).to_owned(),
                    resource: (*resource).to_owned(),
                })
            }
            _ => Err("expected arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE".to_owned()),
        }
    }
}

#[test]
fn an_arn_is_read_and_printed_alike() {
    let text = "arn:aws-cn:iam::111122223333:role/team/node";
    let arn: Arn = text.parse().unwrap();
    assert_eq!((arn.to_string().as_str(), arn.resource_name()), (text, "node"));
    assert!("arn:aws:iam".parse::<Arn>().is_err());
    assert!("role/node".parse::<Arn>().is_err());
}
