//! Changes: one resource each, from what it is to what it shall be.
//!
//! Kind, diff, precondition, simulation, inverse and rollback follow from `{at, before, after}`, so a new
//! kind of action is one file with `get`, `set` and `send`.

pub mod attachment;
pub mod blocks;
pub mod change;
pub mod cluster_vpc;
mod difference;
pub mod instance_profile;
pub mod network_acl_entry;
pub mod repository_policy;
mod role;
pub mod role_policy;
pub mod route;
pub mod security_group;
pub mod security_group_rule;
pub mod statement;
pub mod trust_policy;
pub mod vpc_attribute;
pub mod vpc_endpoint;

pub use attachment::Attachment;
pub use change::{AnyChange, Change, Found, Quota, RUN_TAG, Resource, Sent, Undo, gathered};
pub use instance_profile::ProfileAssociation;
pub use network_acl_entry::NetworkAclEntry;
pub use repository_policy::RepositoryPolicy;
pub use role_policy::RolePolicy;
pub use route::Route;
pub use security_group::SecurityGroup;
pub use security_group_rule::SecurityGroupRule;
pub use trust_policy::TrustPolicy;
pub use vpc_attribute::VpcAttribute;
pub use vpc_endpoint::VpcEndpoint;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Declares the kinds of changes, each with its name in every output and the call that makes it.
macro_rules! kinds {
    ($($(#[$meaning:meta])+ $kind:ident = $name:literal by $call:literal,)+) => {
        /// What a change is called in plans, records and messages.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        pub enum Kind {
            $($(#[$meaning])+ #[serde(rename = $name)] $kind,)+
        }

        /// Every write call that ecr-fix can make at all. SECURITY.md lists the same; a test compares the two.
        pub const WRITE_CALLS: &[&str] = &[$($call,)+];

        impl Kind {
            /// The name in every output.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Kind::$kind => $name,)+
                }
            }

            /// The one call that makes a change of this kind.
            pub fn api_call(self) -> &'static str {
                match self {
                    $(Kind::$kind => $call,)+
                }
            }
        }
    };
}

kinds! {
    /// A managed policy is attached to a role.
    AttachRolePolicy = "attach-role-policy" by "iam:AttachRolePolicy",
    /// A managed policy is taken from a role.
    DetachRolePolicy = "detach-role-policy" by "iam:DetachRolePolicy",
    /// An inline policy of a role is written.
    PutRolePolicy = "put-role-policy" by "iam:PutRolePolicy",
    /// An inline policy of a role is deleted.
    DeleteRolePolicy = "delete-role-policy" by "iam:DeleteRolePolicy",
    /// The trust policy of a role is replaced.
    UpdateTrustPolicy = "update-trust-policy" by "iam:UpdateAssumeRolePolicy",
    /// An instance gets an instance profile.
    AssociateInstanceProfile = "associate-instance-profile" by "ec2:AssociateIamInstanceProfile",
    /// An instance profile is taken from an instance.
    DisassociateInstanceProfile = "disassociate-instance-profile" by "ec2:DisassociateIamInstanceProfile",
    /// The policy of a repository is replaced.
    SetRepositoryPolicy = "set-repository-policy" by "ecr:SetRepositoryPolicy",
    /// The policy of a repository is deleted.
    DeleteRepositoryPolicy = "delete-repository-policy" by "ecr:DeleteRepositoryPolicy",
    /// A VPC endpoint is made.
    CreateVpcEndpoint = "create-vpc-endpoint" by "ec2:CreateVpcEndpoint",
    /// A VPC endpoint is deleted.
    DeleteVpcEndpoint = "delete-vpc-endpoint" by "ec2:DeleteVpcEndpoints",
    /// A VPC endpoint is changed.
    ModifyVpcEndpoint = "modify-vpc-endpoint" by "ec2:ModifyVpcEndpoint",
    /// A security group is made.
    CreateSecurityGroup = "create-security-group" by "ec2:CreateSecurityGroup",
    /// A security group is deleted.
    DeleteSecurityGroup = "delete-security-group" by "ec2:DeleteSecurityGroup",
    /// A security group lets packets in.
    AuthorizeSecurityGroupIngress = "authorize-security-group-ingress" by "ec2:AuthorizeSecurityGroupIngress",
    /// A rule that lets packets in is taken from a security group.
    RevokeSecurityGroupIngress = "revoke-security-group-ingress" by "ec2:RevokeSecurityGroupIngress",
    /// A security group lets packets out.
    AuthorizeSecurityGroupEgress = "authorize-security-group-egress" by "ec2:AuthorizeSecurityGroupEgress",
    /// A rule that lets packets out is taken from a security group.
    RevokeSecurityGroupEgress = "revoke-security-group-egress" by "ec2:RevokeSecurityGroupEgress",
    /// A network ACL gets an entry.
    CreateNetworkAclEntry = "create-network-acl-entry" by "ec2:CreateNetworkAclEntry",
    /// An entry is taken from a network ACL.
    DeleteNetworkAclEntry = "delete-network-acl-entry" by "ec2:DeleteNetworkAclEntry",
    /// An entry of a network ACL is replaced.
    ReplaceNetworkAclEntry = "replace-network-acl-entry" by "ec2:ReplaceNetworkAclEntry",
    /// A route table gets a route.
    CreateRoute = "create-route" by "ec2:CreateRoute",
    /// A route is taken from a route table.
    DeleteRoute = "delete-route" by "ec2:DeleteRoute",
    /// A route gets another target.
    ReplaceRoute = "replace-route" by "ec2:ReplaceRoute",
    /// An attribute of a VPC is changed.
    ModifyVpcAttribute = "modify-vpc-attribute" by "ec2:ModifyVpcAttribute",
}

/// How much a change can harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Risk {
    /// It only adds what a pull needs.
    Low,
    /// It changes something that others rely on.
    Medium,
    /// It can take away what works today.
    High,
}
