//! VPC endpoints.

use serde::{Deserialize, Serialize};

use super::{GroupId, lenient};
use crate::model::PolicyText;
use crate::model::iam::Tag;
use crate::model::snapshot::Table;

/// A VPC endpoint, as in `VpcEndpoints`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct VpcEndpoint {
    /// `vpce-…`.
    pub vpc_endpoint_id: String,
    /// `Gateway`, `Interface`, `GatewayLoadBalancer`, ….
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub vpc_endpoint_type: String,
    /// The VPC.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub vpc_id: String,
    /// `com.amazonaws.eu-west-1.ecr.dkr`.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub service_name: String,
    /// The region of the service, where it is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_region: Option<String>,
    /// `available`, in any case of letters.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub state: String,
    /// What it lets pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_document: Option<PolicyText>,
    /// Gateway endpoints: the tables that lead to it.
    #[serde(default, deserialize_with = "lenient::list")]
    pub route_table_ids: Vec<String>,
    /// Interface endpoints: at most one for each zone.
    #[serde(default, deserialize_with = "lenient::list")]
    pub subnet_ids: Vec<String>,
    /// Interface endpoints: its security groups.
    #[serde(default, deserialize_with = "lenient::list")]
    pub groups: Vec<GroupId>,
    /// Interface endpoints.
    #[serde(default, deserialize_with = "lenient::list")]
    pub network_interface_ids: Vec<String>,
    /// Whether the names of the service resolve to it.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub private_dns_enabled: bool,
    /// Further options of its names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns_options: Option<DnsOptions>,
    /// Its names.
    #[serde(default, deserialize_with = "lenient::list")]
    pub dns_entries: Vec<DnsEntry>,
    /// `ipv4`, `dualstack`, `ipv6`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_address_type: Option<String>,
    /// The account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_id: Option<String>,
    /// Names for people.
    #[serde(default, deserialize_with = "lenient::list")]
    pub tags: Vec<Tag>,
}

/// How the private names of an endpoint are published.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DnsOptions {
    /// `ipv4`, `dualstack`, `ipv6`, `service-defined`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns_record_ip_type: Option<String>,
    /// Whether only an inbound resolver endpoint sees them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_dns_only_for_inbound_resolver_endpoint: Option<bool>,
}

/// A name of an endpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DnsEntry {
    /// May start with `*.`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns_name: Option<String>,
    /// The zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hosted_zone_id: Option<String>,
}

/// A service that endpoints can lead to, as `describe-vpc-endpoint-services` prints it under `ServiceDetails`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct EndpointService {
    /// `vpce-svc-…`: S3 has one as a gateway and one as an interface, both of the same name.
    pub service_id: String,
    /// `com.amazonaws.eu-west-1.ecr.dkr`.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub service_name: String,
    /// What its endpoints may be.
    #[serde(default, deserialize_with = "lenient::list")]
    pub service_type: Vec<EndpointServiceType>,
    /// Where its endpoints may stand.
    #[serde(default, deserialize_with = "lenient::list")]
    pub availability_zones: Vec<String>,
}

/// A type of endpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct EndpointServiceType {
    /// `Gateway`, `Interface`, ….
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub service_type: String,
}

rows_by_id! {
    EndpointService, service_id, endpoint_services, Table::list::<EndpointService>("ServiceDetails");
    VpcEndpoint, vpc_endpoint_id, vpc_endpoints, Table::list::<VpcEndpoint>("VpcEndpoints");
}
