//! Who else writes a resource: a tool whose next run may undo what a plan changes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::actions::AnyChange;
use crate::model::iam::Tag;
use crate::model::{Arn, Snapshot};

/// What to do about a change of a resource that a tool owns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Owned {
    /// Leave it to the owner
    Refuse,
    /// Plan it, and say that the owner may undo it
    #[default]
    Warn,
    /// Plan it
    Apply,
}

/// The tool that a resource says it belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Owner {
    /// Which tool.
    pub tool: Tool,
    /// The stack, the cluster or the pool that it calls its own, where that is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The tag or the name that says so.
    pub because: String,
}

/// The tools that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Tool {
    /// A stack of AWS CloudFormation, also where the CDK made it.
    CloudFormation,
    /// eksctl, by way of CloudFormation.
    Eksctl,
    /// Terraform or OpenTofu.
    Terraform,
    /// Karpenter.
    Karpenter,
    /// A service of AWS, such as EKS or Auto Scaling.
    Aws,
}

impl Owner {
    /// Who owns what a change is about, as far as tags and names say.
    pub fn of(change: &AnyChange, world: &Snapshot) -> Option<Owner> {
        let arn: Arn = change.resource().parse().ok()?;
        by_tags(tags(world, &arn)).or_else(|| by_name(&arn))
    }

    /// The owner in words: `CloudFormation (stack prod)`.
    pub fn in_words(&self) -> String {
        let tool = match self.tool {
            Tool::CloudFormation => "CloudFormation",
            Tool::Eksctl => "eksctl",
            Tool::Terraform => "Terraform",
            Tool::Karpenter => "Karpenter",
            Tool::Aws => "AWS",
        };
        match &self.name {
            Some(name) => format!("{tool} ({name})"),
            None => tool.to_owned(),
        }
    }

    /// What a person has to know before they change it.
    pub fn warning(&self) -> String {
        match self.tool {
            Tool::Aws => format!(
                "a service of AWS manages it ({}): it may replace it, and knows nothing of this change",
                self.because
            ),
            _ => format!(
                "{} owns it ({}): a later run may undo this change, so make the same change there",
                self.in_words(),
                self.because
            ),
        }
    }
}

fn tags<'w>(world: &'w Snapshot, arn: &Arn) -> &'w [Tag] {
    let ec2 = &world.ec2;
    let (kind, id) = arn.resource.split_once('/').unwrap_or_default();
    let tags = match (arn.service.as_str(), kind) {
        ("iam", "role") => world.roles.get(&arn.to_string()).map(|role| &role.tags),
        ("ecr", "repository") => world.repository_tags.get(&arn.to_string()).map(|row| &row.tags),
        ("ec2", "instance") => ec2.instances.get(id).map(|row| &row.tags),
        ("ec2", "network-acl") => ec2.network_acls.get(id).map(|row| &row.tags),
        ("ec2", "route-table") => ec2.route_tables.get(id).map(|row| &row.tags),
        ("ec2", "security-group") => ec2.security_groups.get(id).map(|row| &row.tags),
        ("ec2", "vpc") => ec2.vpcs.get(id).map(|row| &row.tags),
        ("ec2", "vpc-endpoint") => ec2.vpc_endpoints.get(id).map(|row| &row.tags),
        _ => None,
    };
    tags.map(Vec::as_slice).unwrap_or_default()
}

/// The most telling tag decides: eksctl works through CloudFormation, and whatever AWS starts is tagged by AWS.
fn by_tags(tags: &[Tag]) -> Option<Owner> {
    let found = |tool, tag: &Tag, named: bool| Owner {
        tool,
        name: named.then(|| tag.value.clone()).filter(|name| !name.is_empty()),
        because: format!("tag {} = {}", tag.key, tag.value),
    };
    let first = |is: fn(&Tag) -> bool| tags.iter().find(|tag| is(tag));
    let stack = first(|tag| tag.key == "aws:cloudformation:stack-name");
    if let Some(tag) = first(|tag| is_of_eksctl(&tag.key)) {
        return Some(found(Tool::Eksctl, tag, tag.key.ends_with("cluster-name")));
    }
    if let Some(tag) = stack {
        let tool = if tag.value.starts_with("eksctl-") { Tool::Eksctl } else { Tool::CloudFormation };
        return Some(found(tool, tag, true));
    }
    if let Some(tag) = first(|tag| tag.key.starts_with("karpenter.")) {
        return Some(found(Tool::Karpenter, tag, tag.key == "karpenter.sh/nodepool"));
    }
    if let Some(tag) = first(says_terraform) {
        return Some(found(Tool::Terraform, tag, false));
    }
    let of_aws = first(|tag| tag.key.starts_with("eks:") || tag.key.starts_with("aws:"))?;
    Some(found(Tool::Aws, of_aws, false))
}

fn is_of_eksctl(key: &str) -> bool {
    key.starts_with("alpha.eksctl.io/") || key.starts_with("eksctl.cluster.k8s.io/")
}

/// Terraform gives no tags of its own; these are what people write.
fn says_terraform(tag: &Tag) -> bool {
    let key: String = tag.key.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
    let value = tag.value.to_lowercase();
    let is_tool = value.contains("terraform") || value.contains("tofu");
    match key.as_str() {
        "terraform" | "opentofu" => !matches!(value.as_str(), "false" | "no" | "0"),
        "managedby" | "createdby" | "provisionedby" | "provisioner" | "iac" => is_tool,
        _ => key.starts_with("terraform"),
    }
}

/// Names that a tool made up. Most names say nothing.
fn by_name(arn: &Arn) -> Option<Owner> {
    if arn.service != "iam" {
        return None;
    }
    let name = arn.resource_name();
    let found = |tool, named: Option<&str>| {
        Some(Owner { tool, name: named.map(str::to_owned), because: format!("its name is {name}") })
    };
    let (start, end) = name.rsplit_once('-').unwrap_or_default();
    let stack = start.rsplit_once('-').map(|(stack, _logical_name)| stack);
    // CloudFormation: STACK-LOGICALNAME-RANDOM. Terraform: PREFIX, then the time and a counter, 26 digits.
    let is_random = (12..=13).contains(&end.len())
        && end.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
        && end.chars().any(|c| c.is_ascii_digit());
    let digits = name.chars().rev().take_while(char::is_ascii_digit).count();
    if arn.resource.starts_with("role/aws-service-role/") || arn.resource.starts_with("role/aws-reserved/") {
        found(Tool::Aws, None)
    } else if name.starts_with("eksctl-") {
        found(Tool::Eksctl, None)
    } else if name.starts_with("Karpenter") {
        found(Tool::Karpenter, None)
    } else if is_random && stack.is_some() {
        found(Tool::CloudFormation, stack)
    } else if digits == 26 {
        found(Tool::Terraform, None)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_tell_the_owner() {
        let check = |tags: &[(&str, &str)], expected: &str| {
            let tag =
                |(key, value): &(&str, &str)| Tag { key: (*key).to_owned(), value: (*value).to_owned() };
            let tags: Vec<Tag> = tags.iter().map(tag).collect();
            let told = by_tags(&tags).map_or("nobody".to_owned(), |owner| owner.in_words());
            assert_eq!(told, expected, "{tags:?}");
        };
        check(&[("aws:cloudformation:stack-name", "prod")], "CloudFormation (prod)");
        check(&[("aws:cloudformation:stack-name", "eksctl-prod-cluster")], "eksctl (eksctl-prod-cluster)");
        check(
            &[("aws:cloudformation:stack-name", "x"), ("alpha.eksctl.io/cluster-name", "prod")],
            "eksctl (prod)",
        );
        check(&[("karpenter.sh/nodepool", "default"), ("aws:ec2:fleet-id", "f")], "Karpenter (default)");
        check(&[("karpenter.k8s.aws/ec2nodeclass", "default")], "Karpenter");
        check(&[("Terraform", "true")], "Terraform");
        check(&[("managed_by", "Terraform")], "Terraform");
        check(&[("ManagedBy", "OpenTofu")], "Terraform");
        check(&[("eks:nodegroup-name", "ng-1"), ("Name", "x")], "AWS");
        check(&[("aws:autoscaling:groupName", "asg")], "AWS");
        for nobody in [("Name", "terraform"), ("terraform", "false"), ("managed-by", "Ann")] {
            check(&[nobody, ("kubernetes.io/cluster/prod", "owned")], "nobody");
        }
    }

    #[test]
    fn names_that_a_tool_made_up_tell_the_owner() {
        let check = |resource: &str, expected: &str| {
            let arn: Arn = format!("arn:aws:iam::111122223333:{resource}").parse().unwrap();
            let told = by_name(&arn).map_or("nobody".to_owned(), |owner| owner.in_words());
            assert_eq!(told, expected, "{resource}");
        };
        check("role/eksctl-prod-nodegroup-ng-1-NodeInstanceRole-1QZ4XK0V2W3YA", "eksctl");
        check("role/prod-eks-NodeRole-1QZ4XK0V2W3YA", "CloudFormation (prod-eks)");
        check("role/KarpenterNodeRole-prod", "Karpenter");
        check("role/node-20240102030405678900000001", "Terraform");
        check("role/aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS", "AWS");
        for plain in ["role/node", "role/team/prod-node-role", "role/prod-node-PRODUCTIONNN", "role/node-1"] {
            check(plain, "nobody");
        }
    }
}
