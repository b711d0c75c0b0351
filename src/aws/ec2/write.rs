//! Changes of VPC endpoints, of the group that guards them, and of the attributes of their VPC.
//!
//! Where EC2 has a trial of a call (`DryRun`), the trial comes first: what would be refused is refused before anything is
//! changed.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::operation::RequestId;
use aws_sdk_ec2::types::{
    AttributeBooleanValue, IpPermission, IpRange, ResourceType, Tag, TagSpecification, UserIdGroupPair,
    VpcEndpointType,
};
use ipnet::Ipv4Net;

use super::{filter, in_vpc};
use crate::actions::security_group::Rule;
use crate::actions::vpc_attribute::Attribute;
use crate::actions::vpc_endpoint::VpcEndpoint;
use crate::actions::{RUN_TAG, Sent};
use crate::aws::{Reason, Refused, Writer};
use crate::plan::file::sha256_of;

const CREATE_ENDPOINT: &str = "ec2:CreateVpcEndpoint";
const MODIFY_ENDPOINT: &str = "ec2:ModifyVpcEndpoint";
const DELETE_ENDPOINTS: &str = "ec2:DeleteVpcEndpoints";
const CREATE_GROUP: &str = "ec2:CreateSecurityGroup";
const DELETE_GROUP: &str = "ec2:DeleteSecurityGroup";
const LET_IN: &str = "ec2:AuthorizeSecurityGroupIngress";
const LET_OUT_NO_MORE: &str = "ec2:RevokeSecurityGroupEgress";

/// The interfaces of an endpoint go some time after the endpoint, and until then AWS does not delete their group.
const UNTIL_UNUSED: [u64; 8] = [1, 2, 5, 10, 15, 20, 30, 30];

/// EC2 may not know for some seconds what it has just made.
const UNTIL_KNOWN: [u64; 4] = [1, 2, 3, 5];

/// An endpoint to make.
#[derive(Clone, Debug)]
pub struct NewEndpoint<'a> {
    /// `vpc-…`.
    pub vpc: &'a str,
    /// The name of the service.
    pub service: &'a str,
    /// For people.
    pub name: String,
    /// The ids of its security groups.
    pub groups: Vec<String>,
    /// All else.
    pub state: &'a VpcEndpoint,
}

/// What changes in an endpoint.
#[derive(Clone, Debug, Default)]
pub struct EndpointChanges {
    /// Subnets that it gets an interface in.
    pub add_subnets: Vec<String>,
    /// Subnets that it leaves.
    pub remove_subnets: Vec<String>,
    /// Route tables that lead to it from now on.
    pub add_tables: Vec<String>,
    /// Route tables that do not any more.
    pub remove_tables: Vec<String>,
    /// Groups that it gets.
    pub add_groups: Vec<String>,
    /// Groups that it loses.
    pub remove_groups: Vec<String>,
    /// Whether the names of the service lead to it, where that changes.
    pub private_dns: Option<bool>,
}

impl Writer {
    /// `ec2:CreateVpcEndpoint`. The same run makes the same endpoint only once.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn create_vpc_endpoint(&self, new: &NewEndpoint<'_>) -> Result<Sent, Refused> {
        let NewEndpoint { vpc, service, name, groups, state } = new;
        let ask = self.ec2.create_vpc_endpoint().vpc_id(*vpc).service_name(*service);
        let ask = ask.client_token(self.token(&[vpc, service])).set_policy_document(state.policy.clone());
        let ask = ask.tag_specifications(self.tags(ResourceType::VpcEndpoint, name));
        let ask = if state.route_table_ids.is_empty() {
            ask.vpc_endpoint_type(VpcEndpointType::Interface)
                .private_dns_enabled(state.private_dns_enabled)
                .set_subnet_ids(Some(state.subnet_ids.iter().cloned().collect()))
                .set_security_group_ids(Some(groups.clone()))
        } else {
            ask.vpc_endpoint_type(VpcEndpointType::Gateway)
                .set_route_table_ids(Some(state.route_table_ids.iter().cloned().collect()))
        };
        let trial = trial(CREATE_ENDPOINT, service, ask.clone().dry_run(true).send().await)?;
        let made = match trial {
            Some(made) => made,
            None => answer(CREATE_ENDPOINT, service, ask.send().await)?,
        };
        let request_id = made.request_id().map(str::to_owned);
        Ok(Sent { request_id, assigned_id: made.vpc_endpoint.and_then(|endpoint| endpoint.vpc_endpoint_id) })
    }

    /// `ec2:ModifyVpcEndpoint`.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn modify_vpc_endpoint(&self, id: &str, changes: &EndpointChanges) -> Result<Sent, Refused> {
        let some = |ids: &[String]| Some(ids.to_vec()).filter(|ids| !ids.is_empty());
        let ask = self.ec2.modify_vpc_endpoint().vpc_endpoint_id(id);
        let ask = ask.set_add_subnet_ids(some(&changes.add_subnets));
        let ask = ask.set_remove_subnet_ids(some(&changes.remove_subnets));
        let ask = ask.set_add_route_table_ids(some(&changes.add_tables));
        let ask = ask.set_remove_route_table_ids(some(&changes.remove_tables));
        let ask = ask.set_add_security_group_ids(some(&changes.add_groups));
        let ask = ask.set_remove_security_group_ids(some(&changes.remove_groups));
        let ask = ask.set_private_dns_enabled(changes.private_dns);
        let changed = match trial(MODIFY_ENDPOINT, id, ask.clone().dry_run(true).send().await)? {
            Some(changed) => changed,
            None => answer(MODIFY_ENDPOINT, id, ask.send().await)?,
        };
        Ok(sent(&changed))
    }

    /// `ec2:DeleteVpcEndpoints` of one endpoint. Where its id is not known, it is the one that this run made.
    ///
    /// # Errors
    /// What AWS answered, also for this one endpoint in an answer that is no error; or that there is none of this run.
    pub async fn delete_vpc_endpoint(
        &self,
        vpc: &str,
        service: &str,
        id: Option<&str>,
    ) -> Result<Sent, Refused> {
        let id = match id {
            Some(id) => id.to_owned(),
            None => self.endpoint_of_this_run(vpc, service).await?,
        };
        let ask = self.ec2.delete_vpc_endpoints().vpc_endpoint_ids(&id);
        let deleted = match trial(DELETE_ENDPOINTS, &id, ask.clone().dry_run(true).send().await)? {
            Some(deleted) => deleted,
            None => answer(DELETE_ENDPOINTS, &id, ask.send().await)?,
        };
        match deleted.unsuccessful().iter().find_map(|item| item.error()) {
            None => Ok(sent(&deleted)),
            Some(error) => Err(Refused::from_code(
                DELETE_ENDPOINTS,
                &id,
                error.code().unwrap_or_default(),
                error.message().unwrap_or_default(),
                deleted.request_id(),
            )),
        }
    }

    /// `ec2:CreateSecurityGroup` with these rules and no others. AWS lets a new group send to everywhere: that is taken
    /// away. What cannot be finished is taken back.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn create_security_group(
        &self,
        vpc: &str,
        name: &str,
        description: &str,
        ingress: &BTreeSet<Rule>,
    ) -> Result<Sent, Refused> {
        let ask = self.ec2.create_security_group().vpc_id(vpc).group_name(name).description(description);
        let ask = ask.tag_specifications(self.tags(ResourceType::SecurityGroup, name));
        let made = match trial(CREATE_GROUP, name, ask.clone().dry_run(true).send().await)? {
            Some(made) => made,
            None => answer(CREATE_GROUP, name, ask.send().await)?,
        };
        let request_id = made.request_id().map(str::to_owned);
        let id = made.group_id.unwrap_or_default();
        let finished = match self.let_nothing_out(&id).await {
            Ok(()) => self.let_in(&id, ingress).await,
            Err(refused) => Err(refused),
        };
        if let Err(refused) = finished {
            return Err(match self.ec2.delete_security_group().group_id(&id).send().await {
                Ok(_) => refused,
                // Something of it is left: then nobody may believe that nothing happened.
                Err(_) => Refused { reason: Reason::Network, ..refused },
            });
        }
        Ok(Sent { request_id, assigned_id: Some(id) })
    }

    async fn let_nothing_out(&self, id: &str) -> Result<(), Refused> {
        let v4 = IpPermission::builder()
            .ip_protocol("-1")
            .ip_ranges(IpRange::builder().cidr_ip("0.0.0.0/0").build());
        let ask = self.ec2.revoke_security_group_egress().group_id(id).ip_permissions(v4.build());
        patiently(&UNTIL_KNOWN, is_group_unknown, || {
            let sending = ask.clone().send();
            async move {
                match answer(LET_OUT_NO_MORE, id, sending.await) {
                    Ok(_) => Ok(()),
                    Err(refused) if refused.because == "InvalidPermission.NotFound" => Ok(()),
                    Err(refused) => Err(refused),
                }
            }
        })
        .await
    }

    async fn let_in(&self, id: &str, ingress: &BTreeSet<Rule>) -> Result<(), Refused> {
        let rules = ingress.iter().map(permission).collect();
        let ask = self.ec2.authorize_security_group_ingress().group_id(id).set_ip_permissions(Some(rules));
        patiently(&UNTIL_KNOWN, is_group_unknown, || {
            let sending = ask.clone().send();
            async move { answer(LET_IN, id, sending.await).map(|_| ()) }
        })
        .await
    }

    /// `ec2:DeleteSecurityGroup`, as soon as nothing has it any more. Where its id is not known, it is the one that this
    /// run made.
    ///
    /// # Errors
    /// What AWS answered; or that there is none of this run.
    pub async fn delete_security_group(
        &self,
        vpc: &str,
        name: &str,
        id: Option<&str>,
    ) -> Result<Sent, Refused> {
        let id = match id {
            Some(id) => id.to_owned(),
            None => self.group_of_this_run(vpc, name).await?,
        };
        let ask = self.ec2.delete_security_group().group_id(&id);
        if let Some(deleted) = trial(DELETE_GROUP, &id, ask.clone().dry_run(true).send().await)? {
            return Ok(sent(&deleted));
        }
        let in_use = |refused: &Refused| refused.because == "DependencyViolation";
        let id = id.as_str();
        patiently(&UNTIL_UNUSED, in_use, || {
            let sending = ask.clone().send();
            async move { answer(DELETE_GROUP, id, sending.await).map(|deleted| sent(&deleted)) }
        })
        .await
    }

    /// `ec2:ModifyVpcAttribute` of one attribute. AWS has no trial of it.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn modify_vpc_attribute(
        &self,
        vpc: &str,
        attribute: Attribute,
        on: bool,
    ) -> Result<Sent, Refused> {
        let ask = self.ec2.modify_vpc_attribute().vpc_id(vpc);
        let value = AttributeBooleanValue::builder().value(on).build();
        let ask = match attribute {
            Attribute::DnsSupport => ask.enable_dns_support(value),
            Attribute::DnsHostnames => ask.enable_dns_hostnames(value),
        };
        answer("ec2:ModifyVpcAttribute", vpc, ask.send().await).map(|changed| sent(&changed))
    }

    /// The ids of groups, of which one may be given by our own name for it.
    ///
    /// # Errors
    /// What AWS answered, or that there is no group of that name.
    pub async fn group_ids(
        &self,
        vpc: &str,
        own: &str,
        groups: &BTreeSet<String>,
    ) -> Result<Vec<String>, Refused> {
        let mut ids = Vec::new();
        for group in groups {
            ids.push(if group == own { self.group_named(vpc, own, &[]).await? } else { group.clone() });
        }
        Ok(ids)
    }

    async fn group_of_this_run(&self, vpc: &str, name: &str) -> Result<String, Refused> {
        self.group_named(vpc, name, &[filter(&format!("tag:{RUN_TAG}"), [self.run()])]).await
    }

    async fn group_named(
        &self,
        vpc: &str,
        name: &str,
        also: &[aws_sdk_ec2::types::Filter],
    ) -> Result<String, Refused> {
        const CALL: &str = "ec2:DescribeSecurityGroups";
        let ask =
            self.ec2.describe_security_groups().filters(in_vpc(vpc)).filters(filter("group-name", [name]));
        let ask = also.iter().fold(ask, |ask, filter| ask.filters(filter.clone()));
        let found = answer(CALL, name, ask.send().await)?;
        match found.security_groups() {
            [group] => Ok(group.group_id().unwrap_or_default().to_owned()),
            _ => Err(Refused::never_sent(
                CALL,
                &format!("there is no security group {name} that this run may use"),
            )),
        }
    }

    async fn endpoint_of_this_run(&self, vpc: &str, service: &str) -> Result<String, Refused> {
        const CALL: &str = "ec2:DescribeVpcEndpoints";
        let ask = self.ec2.describe_vpc_endpoints().filters(in_vpc(vpc));
        let ask = ask
            .filters(filter("service-name", [service]))
            .filters(filter(&format!("tag:{RUN_TAG}"), [self.run()]));
        let found = answer(CALL, service, ask.send().await)?;
        match found.vpc_endpoints() {
            [endpoint] => Ok(endpoint.vpc_endpoint_id().unwrap_or_default().to_owned()),
            _ => Err(Refused::never_sent(
                CALL,
                &format!("no endpoint for {service} carries the tag of this run"),
            )),
        }
    }

    fn tags(&self, of: ResourceType, name: &str) -> TagSpecification {
        let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
        TagSpecification::builder()
            .resource_type(of)
            .tags(tag("Name", name))
            .tags(tag(RUN_TAG, self.run()))
            .build()
    }

    /// The same for the same thing of the same run, so that a request which is sent twice makes one thing.
    fn token(&self, of: &[&str]) -> String {
        let hash = sha256_of(&serde_json::json!([self.run(), of]));
        hash.trim_start_matches("sha256:").chars().take(32).collect()
    }
}

/// The answer to a trial: nothing, where the call would be made; or the refusal.
///
/// An emulator that does not know trials makes the call at once: then its answer is the answer.
fn trial<T, E>(
    call: &'static str,
    resource: &str,
    answer: Result<T, SdkError<E>>,
) -> Result<Option<T>, Refused>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match answer {
        Ok(made) => Ok(Some(made)),
        Err(error) if error.code() == Some("DryRunOperation") => Ok(None),
        Err(error) => {
            let refused = Refused::from_sdk(call, resource, &error);
            // A trial whose answer got lost had no effect, so there is nothing to wait for.
            let reason = if refused.reason == Reason::Network { Reason::Other } else { refused.reason };
            Err(Refused { reason, ..refused })
        }
    }
}

fn answer<T, E>(call: &'static str, resource: &str, answer: Result<T, SdkError<E>>) -> Result<T, Refused>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    answer.map_err(|error| Refused::from_sdk(call, resource, &error))
}

fn sent(answer: &impl RequestId) -> Sent {
    Sent { request_id: answer.request_id().map(str::to_owned), assigned_id: None }
}

/// Tries again, after these seconds, while the answer is one that time cures.
async fn patiently<T, Attempt>(
    pauses: &[u64],
    passes: impl Fn(&Refused) -> bool,
    attempt: impl Fn() -> Attempt,
) -> Result<T, Refused>
where
    Attempt: Future<Output = Result<T, Refused>>,
{
    for pause in pauses {
        match attempt().await {
            Err(refused) if passes(&refused) => tokio::time::sleep(Duration::from_secs(*pause)).await,
            end => return end,
        }
    }
    attempt().await
}

fn is_group_unknown(refused: &Refused) -> bool {
    refused.because.eq_ignore_ascii_case("InvalidGroup.NotFound")
}

fn permission(rule: &Rule) -> IpPermission {
    let port = |port: Option<i64>| port.and_then(|port| i32::try_from(port).ok());
    let permission = IpPermission::builder()
        .ip_protocol(&rule.protocol)
        .set_from_port(port(rule.from_port))
        .set_to_port(port(rule.to_port));
    let permission = if rule.peer.parse::<Ipv4Net>().is_ok() {
        permission.ip_ranges(IpRange::builder().cidr_ip(&rule.peer).build())
    } else {
        permission.user_id_group_pairs(UserIdGroupPair::builder().group_id(&rule.peer).build())
    };
    permission.build()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn refused(because: &str) -> Refused {
        Refused::from_code(DELETE_GROUP, "sg-1", because, "", None)
    }

    #[tokio::test]
    async fn a_group_is_deleted_once_nothing_has_it_any_more() {
        const PAUSES: [u64; 4] = [0; 4];
        let (tries, in_use) =
            (AtomicUsize::new(0), |refused: &Refused| refused.because == "DependencyViolation");
        let third_time = || {
            let number = tries.fetch_add(1, Ordering::Relaxed);
            async move { if number < 3 { Err(refused("DependencyViolation")) } else { Ok(()) } }
        };
        assert_eq!(patiently(&PAUSES, in_use, third_time).await, Ok(()));
        assert_eq!(tries.load(Ordering::Relaxed), 4);
        let never = || async { Err::<(), _>(refused("DependencyViolation")) };
        assert!(patiently(&PAUSES, in_use, never).await.is_err(), "it ends");
        let denied = || {
            tries.fetch_add(1, Ordering::Relaxed);
            async { Err::<(), _>(refused("UnauthorizedOperation")) }
        };
        assert_eq!(patiently(&PAUSES, in_use, denied).await.unwrap_err().reason, Reason::Denied);
        assert_eq!(tries.load(Ordering::Relaxed), 5, "nothing is tried twice without reason");
    }
}
