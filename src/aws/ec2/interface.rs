//! Network interfaces.

use aws_sdk_ec2::types;

use super::{PAGE, in_vpc};
use crate::aws::pages::{Unclear, Understand, all, one, pages, parsed};
use crate::aws::{Reader, Refused};
use crate::model::ec2::{
    Attachment, InterfaceAssociation, Ipv6Address, Ipv6PrefixDelegation, NetworkInterface, PrefixDelegation,
    PrivateAddress,
};

impl Reader {
    /// `ec2:DescribeNetworkInterfaces` of one VPC.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn network_interfaces(&self, vpc: &str) -> Result<Vec<NetworkInterface>, Refused> {
        pages(
            "ec2:DescribeNetworkInterfaces",
            vpc,
            |token| {
                let ask = self.ec2.describe_network_interfaces().filters(in_vpc(vpc)).max_results(PAGE);
                ask.set_next_token(token).send()
            },
            |page| (page.network_interfaces, page.next_token),
        )
        .await
    }
}

impl Understand<types::NetworkInterface> for NetworkInterface {
    fn understand(row: types::NetworkInterface) -> Result<NetworkInterface, Unclear> {
        Ok(NetworkInterface {
            network_interface_id: row.network_interface_id.unwrap_or_default(),
            subnet_id: row.subnet_id,
            vpc_id: row.vpc_id,
            availability_zone: row.availability_zone,
            interface_type: row.interface_type.map(|kind| kind.as_str().to_owned()),
            description: row.description,
            groups: all(row.groups)?,
            private_ip_address: parsed(row.private_ip_address)?,
            private_ip_addresses: all(row.private_ip_addresses)?,
            ipv6_addresses: all(row.ipv6_addresses)?,
            ipv4_prefixes: all(row.ipv4_prefixes)?,
            ipv6_prefixes: all(row.ipv6_prefixes)?,
            association: one(row.association)?,
            attachment: one(row.attachment)?,
            source_dest_check: row.source_dest_check,
            status: row.status.map(|status| status.as_str().to_owned()),
            owner_id: row.owner_id,
            tag_set: all(row.tag_set)?,
        })
    }
}

impl Understand<types::NetworkInterfacePrivateIpAddress> for PrivateAddress {
    fn understand(row: types::NetworkInterfacePrivateIpAddress) -> Result<PrivateAddress, Unclear> {
        Ok(PrivateAddress {
            private_ip_address: parsed(row.private_ip_address)?,
            primary: row.primary.unwrap_or_default(),
            association: one(row.association)?,
        })
    }
}

impl Understand<types::NetworkInterfaceAssociation> for InterfaceAssociation {
    fn understand(row: types::NetworkInterfaceAssociation) -> Result<InterfaceAssociation, Unclear> {
        Ok(InterfaceAssociation { public_ip: parsed(row.public_ip)?, carrier_ip: parsed(row.carrier_ip)? })
    }
}

impl Understand<types::NetworkInterfaceAttachment> for Attachment {
    fn understand(row: types::NetworkInterfaceAttachment) -> Result<Attachment, Unclear> {
        Ok(Attachment {
            instance_id: row.instance_id,
            device_index: row.device_index.map(i64::from),
            status: row.status.map(|status| status.as_str().to_owned()),
        })
    }
}

impl Understand<types::NetworkInterfaceIpv6Address> for Ipv6Address {
    fn understand(row: types::NetworkInterfaceIpv6Address) -> Result<Ipv6Address, Unclear> {
        Ok(Ipv6Address { ipv6_address: parsed(row.ipv6_address)? })
    }
}

impl Understand<types::Ipv4PrefixSpecification> for PrefixDelegation {
    fn understand(row: types::Ipv4PrefixSpecification) -> Result<PrefixDelegation, Unclear> {
        Ok(PrefixDelegation { ipv4_prefix: parsed(row.ipv4_prefix)? })
    }
}

impl Understand<types::Ipv6PrefixSpecification> for Ipv6PrefixDelegation {
    fn understand(row: types::Ipv6PrefixSpecification) -> Result<Ipv6PrefixDelegation, Unclear> {
        Ok(Ipv6PrefixDelegation { ipv6_prefix: parsed(row.ipv6_prefix)? })
    }
}
