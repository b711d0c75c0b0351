//! Instances that are nodes of a cluster.

use aws_sdk_ec2::types;

use super::{PAGE, filter, in_vpc};
use crate::aws::pages::{Unclear, Understand, all, one, pages, parsed};
use crate::aws::{Reader, Refused};
use crate::model::ec2::{
    IamInstanceProfile, Instance, InstanceState, InterfaceAssociation, Ipv6Address, Ipv6PrefixDelegation,
    MetadataOptions, NetworkInterface, PrefixDelegation, PrivateAddress,
};

/// The states of an instance that is a node, or may become one again.
const ALIVE: [&str; 4] = ["pending", "running", "stopping", "stopped"];

/// The tags by which EKS, Karpenter and people mark the nodes of a cluster: the key, and the value where it tells.
fn marks(cluster: &str) -> [(String, Option<&str>); 4] {
    [
        (format!("kubernetes.io/cluster/{cluster}"), None),
        ("eks:cluster-name".to_owned(), Some(cluster)),
        ("aws:eks:cluster-name".to_owned(), Some(cluster)),
        ("eks:eks-cluster-name".to_owned(), Some(cluster)),
    ]
}

/// A reservation's instances: EC2 lists them so.
struct Reserved(Vec<Instance>);

impl Understand<types::Reservation> for Reserved {
    fn understand(row: types::Reservation) -> Result<Reserved, Unclear> {
        Ok(Reserved(all(row.instances)?))
    }
}

impl Reader {
    /// `ec2:DescribeInstances`: the nodes of a cluster in its VPC, however they were started.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn nodes(&self, vpc: &str, cluster: &str) -> Result<Vec<Instance>, Refused> {
        let marks = marks(cluster);
        let reserved: Vec<Reserved> = pages(
            "ec2:DescribeInstances",
            vpc,
            |token| {
                let keys = marks.iter().map(|(key, _)| key.clone());
                let ask = self.ec2.describe_instances().filters(in_vpc(vpc)).max_results(PAGE);
                let ask = ask.filters(filter("tag-key", keys));
                ask.filters(filter("instance-state-name", ALIVE)).set_next_token(token).send()
            },
            |page| (page.reservations, page.next_token),
        )
        .await?;
        let mut nodes: Vec<Instance> = reserved.into_iter().flat_map(|Reserved(nodes)| nodes).collect();
        nodes.retain(|node| {
            node.tags.iter().any(|tag| {
                marks
                    .iter()
                    .any(|(key, value)| tag.key == *key && value.is_none_or(|value| tag.value == value))
            })
        });
        Ok(nodes)
    }

    /// `ec2:DescribeInstances` of one instance.
    ///
    /// # Errors
    /// What AWS answered; that there is none is [`crate::aws::Reason::NotFound`].
    pub async fn instance(&self, id: &str) -> Result<Vec<Instance>, Refused> {
        let reserved: Vec<Reserved> = pages(
            "ec2:DescribeInstances",
            id,
            |token| self.ec2.describe_instances().instance_ids(id).set_next_token(token).send(),
            |page| (page.reservations, page.next_token),
        )
        .await?;
        Ok(reserved.into_iter().flat_map(|Reserved(instances)| instances).collect())
    }
}

impl Understand<types::Instance> for Instance {
    fn understand(row: types::Instance) -> Result<Instance, Unclear> {
        let state = row.state.and_then(|state| state.name);
        Ok(Instance {
            instance_id: row.instance_id.unwrap_or_default(),
            state: state.map(|name| InstanceState { name: name.as_str().to_owned() }),
            vpc_id: row.vpc_id,
            subnet_id: row.subnet_id,
            private_ip_address: parsed(row.private_ip_address)?,
            public_ip_address: parsed(row.public_ip_address)?,
            private_dns_name: row.private_dns_name,
            architecture: row.architecture.map(|architecture| architecture.as_str().to_owned()),
            security_groups: all(row.security_groups)?,
            network_interfaces: all(row.network_interfaces)?,
            source_dest_check: row.source_dest_check,
            iam_instance_profile: one(row.iam_instance_profile)?,
            metadata_options: one(row.metadata_options)?,
            tags: all(row.tags)?,
        })
    }
}

impl Understand<types::IamInstanceProfile> for IamInstanceProfile {
    fn understand(row: types::IamInstanceProfile) -> Result<IamInstanceProfile, Unclear> {
        Ok(IamInstanceProfile { arn: row.arn.unwrap_or_default(), id: row.id })
    }
}

impl Understand<types::InstanceMetadataOptionsResponse> for MetadataOptions {
    fn understand(row: types::InstanceMetadataOptionsResponse) -> Result<MetadataOptions, Unclear> {
        Ok(MetadataOptions {
            http_endpoint: row.http_endpoint.map(|state| state.as_str().to_owned()),
            http_tokens: row.http_tokens.map(|state| state.as_str().to_owned()),
            http_put_response_hop_limit: row.http_put_response_hop_limit.map(i64::from),
        })
    }
}

impl Understand<types::InstanceNetworkInterface> for NetworkInterface {
    fn understand(row: types::InstanceNetworkInterface) -> Result<NetworkInterface, Unclear> {
        Ok(NetworkInterface {
            network_interface_id: row.network_interface_id.unwrap_or_default(),
            subnet_id: row.subnet_id,
            vpc_id: row.vpc_id,
            availability_zone: None,
            interface_type: row.interface_type,
            description: row.description,
            groups: all(row.groups)?,
            private_ip_address: parsed(row.private_ip_address)?,
            private_ip_addresses: all(row.private_ip_addresses)?,
            ipv6_addresses: all(row.ipv6_addresses)?,
            ipv4_prefixes: all(row.ipv4_prefixes)?,
            ipv6_prefixes: all(row.ipv6_prefixes)?,
            association: one(row.association)?,
            attachment: None,
            source_dest_check: row.source_dest_check,
            status: row.status.map(|status| status.as_str().to_owned()),
            owner_id: row.owner_id,
            tag_set: Vec::new(),
        })
    }
}

impl Understand<types::InstancePrivateIpAddress> for PrivateAddress {
    fn understand(row: types::InstancePrivateIpAddress) -> Result<PrivateAddress, Unclear> {
        Ok(PrivateAddress {
            private_ip_address: parsed(row.private_ip_address)?,
            primary: row.primary.unwrap_or_default(),
            association: one(row.association)?,
        })
    }
}

impl Understand<types::InstanceNetworkInterfaceAssociation> for InterfaceAssociation {
    fn understand(row: types::InstanceNetworkInterfaceAssociation) -> Result<InterfaceAssociation, Unclear> {
        Ok(InterfaceAssociation { public_ip: parsed(row.public_ip)?, carrier_ip: parsed(row.carrier_ip)? })
    }
}

impl Understand<types::InstanceIpv6Address> for Ipv6Address {
    fn understand(row: types::InstanceIpv6Address) -> Result<Ipv6Address, Unclear> {
        Ok(Ipv6Address { ipv6_address: parsed(row.ipv6_address)? })
    }
}

impl Understand<types::InstanceIpv4Prefix> for PrefixDelegation {
    fn understand(row: types::InstanceIpv4Prefix) -> Result<PrefixDelegation, Unclear> {
        Ok(PrefixDelegation { ipv4_prefix: parsed(row.ipv4_prefix)? })
    }
}

impl Understand<types::InstanceIpv6Prefix> for Ipv6PrefixDelegation {
    fn understand(row: types::InstanceIpv6Prefix) -> Result<Ipv6PrefixDelegation, Unclear> {
        Ok(Ipv6PrefixDelegation { ipv6_prefix: parsed(row.ipv6_prefix)? })
    }
}
