//! VPC endpoints.

use aws_sdk_ec2::types;

use super::{PAGE, in_vpc};
use crate::aws::pages::{Unclear, Understand, all, one, pages};
use crate::aws::{Reader, Refused};
use crate::model::PolicyText;
use crate::model::ec2::{DnsEntry, DnsOptions, EndpointService, EndpointServiceType, VpcEndpoint};

impl Reader {
    /// `ec2:DescribeVpcEndpoints` of one VPC.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn vpc_endpoints(&self, vpc: &str) -> Result<Vec<VpcEndpoint>, Refused> {
        pages(
            "ec2:DescribeVpcEndpoints",
            vpc,
            |token| {
                let ask = self.ec2.describe_vpc_endpoints().filters(in_vpc(vpc)).max_results(PAGE);
                ask.set_next_token(token).send()
            },
            |page| (page.vpc_endpoints, page.next_token),
        )
        .await
    }

    /// `ec2:DescribeVpcEndpointServices`: those of some names that there are in the region.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn endpoint_services(&self, names: &[String]) -> Result<Vec<EndpointService>, Refused> {
        // All of a region are one page. To ask for names that do not exist is an error.
        let mut all: Vec<EndpointService> = pages(
            "ec2:DescribeVpcEndpointServices",
            "",
            |token| {
                let ask = self.ec2.describe_vpc_endpoint_services().max_results(PAGE);
                ask.set_next_token(token).send()
            },
            |page| (page.service_details, page.next_token),
        )
        .await?;
        all.retain(|service| names.contains(&service.service_name));
        Ok(all)
    }
}

impl Understand<types::ServiceDetail> for EndpointService {
    fn understand(row: types::ServiceDetail) -> Result<EndpointService, Unclear> {
        Ok(EndpointService {
            service_id: row.service_id.unwrap_or_default(),
            service_name: row.service_name.unwrap_or_default(),
            service_type: all(row.service_type)?,
            availability_zones: row.availability_zones.unwrap_or_default(),
        })
    }
}

impl Understand<types::ServiceTypeDetail> for EndpointServiceType {
    fn understand(row: types::ServiceTypeDetail) -> Result<EndpointServiceType, Unclear> {
        let service_type = row.service_type.map(|kind| kind.as_str().to_owned()).unwrap_or_default();
        Ok(EndpointServiceType { service_type })
    }
}

impl Understand<types::VpcEndpoint> for VpcEndpoint {
    fn understand(row: types::VpcEndpoint) -> Result<VpcEndpoint, Unclear> {
        Ok(VpcEndpoint {
            vpc_endpoint_id: row.vpc_endpoint_id.unwrap_or_default(),
            vpc_endpoint_type: row.vpc_endpoint_type.map(|kind| kind.as_str().to_owned()).unwrap_or_default(),
            vpc_id: row.vpc_id.unwrap_or_default(),
            service_name: row.service_name.unwrap_or_default(),
            service_region: row.service_region,
            state: row.state.map(|state| state.as_str().to_owned()).unwrap_or_default(),
            policy_document: row.policy_document.map(PolicyText::new),
            route_table_ids: row.route_table_ids.unwrap_or_default(),
            subnet_ids: row.subnet_ids.unwrap_or_default(),
            groups: all(row.groups)?,
            network_interface_ids: row.network_interface_ids.unwrap_or_default(),
            private_dns_enabled: row.private_dns_enabled.unwrap_or_default(),
            dns_options: one(row.dns_options)?,
            dns_entries: all(row.dns_entries)?,
            ip_address_type: row.ip_address_type.map(|kind| kind.as_str().to_owned()),
            owner_id: row.owner_id,
            tags: all(row.tags)?,
        })
    }
}

impl Understand<types::DnsOptions> for DnsOptions {
    fn understand(row: types::DnsOptions) -> Result<DnsOptions, Unclear> {
        Ok(DnsOptions {
            dns_record_ip_type: row.dns_record_ip_type.map(|kind| kind.as_str().to_owned()),
            private_dns_only_for_inbound_resolver_endpoint: row
                .private_dns_only_for_inbound_resolver_endpoint,
        })
    }
}

impl Understand<types::DnsEntry> for DnsEntry {
    fn understand(row: types::DnsEntry) -> Result<DnsEntry, Unclear> {
        Ok(DnsEntry { dns_name: row.dns_name, hosted_zone_id: row.hosted_zone_id })
    }
}
