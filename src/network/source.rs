//! Where packets come from, and how a user names it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use serde::Serialize;

use super::addresses::{AddressSet, Family};
use super::filter::Ports;
use super::trace::{Hop, HopKind};
use super::walk::{End, PublicAddress};
use super::{Interface, Network};
use crate::error::{Code, Error};
use crate::model::Seen;
use crate::model::ec2::{Ec2, Instance};
use crate::model::eks::Nodegroup;

/// A sender: an interface that exists, or a workload that would have one in a subnet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Source {
    /// What it is.
    pub kind: SourceKind,
    /// An instance, an interface, a subnet, `CLUSTER/NODEGROUP`, `CLUSTER/PROFILE`, or an address.
    pub id: String,
    /// `eni-…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// `subnet-…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subnet: Option<String>,
    /// `None`: those of the interface, or not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<String>>,
    /// One of the addresses of the interface, where it is not the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
}

/// What kind of sender it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceKind {
    /// An instance, by one of its interfaces.
    Instance,
    /// An interface of anything else.
    NetworkInterface,
    /// Whatever would be started in a subnet.
    Subnet,
    /// A node that a node group would start.
    Nodegroup,
    /// A pod that a Fargate profile would start.
    FargateProfile,
    /// An address.
    Address,
    /// A public address of none of the VPCs.
    Internet,
}

impl Source {
    /// An interface that exists.
    pub fn interface(id: impl Into<String>) -> Source {
        let id = id.into();
        Source {
            kind: SourceKind::NetworkInterface,
            interface: Some(id.clone()),
            id,
            subnet: None,
            groups: None,
            address: None,
        }
    }

    /// A workload in a subnet: `groups` is `None` where they are not known.
    pub fn in_subnet(
        kind: SourceKind,
        id: impl Into<String>,
        subnet: impl Into<String>,
        groups: Option<Vec<String>>,
    ) -> Source {
        Source { kind, id: id.into(), interface: None, subnet: Some(subnet.into()), groups, address: None }
    }

    /// What to call it.
    pub fn name(&self) -> String {
        match (&self.interface, &self.subnet) {
            (Some(interface), _) if *interface != self.id => format!("{} ({interface})", self.id),
            (None, Some(subnet)) if *subnet != self.id => format!("{} in {subnet}", self.id),
            _ => self.id.clone(),
        }
    }
}

/// Sources of one class meet the same filters and routes: one trace answers for all of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Class {
    subnet: Option<usize>,
    groups: Option<Vec<String>>,
    public: bool,
    families: (bool, bool),
    /// The blocks of rules that hold this address but not all of its subnet.
    singled_out: Vec<usize>,
}

impl Network<'_> {
    /// What `--from` names: every interface behind it, the first one first.
    ///
    /// # Errors
    /// Nothing of that name is in the snapshot.
    pub fn resolve_source(&self, text: &str) -> Result<Vec<Source>, Error> {
        let text = text.trim();
        if let Ok(address) = text.parse::<IpAddr>() {
            return self.sources_at(address);
        }
        let found = self.sources_named(text);
        if found.is_empty() { Err(self.unknown_source(text)) } else { Ok(found) }
    }

    fn sources_named(&self, text: &str) -> Vec<Source> {
        if let Some(index) = self.interface_by_id.get(text).and_then(|index| self.interfaces.get(*index)) {
            return vec![source_of(index)];
        }
        if let Some(sources) = self.sources_of_instance(text) {
            return sources;
        }
        if self.subnet_by_id.contains_key(text) {
            return self.sources_in_subnet(text);
        }
        let groups = self.sources_of_nodegroup(text);
        if !groups.is_empty() {
            return groups;
        }
        let profiles = self.sources_of_fargate_profile(text);
        if !profiles.is_empty() {
            return profiles;
        }
        self.sources_of_node(text)
    }

    fn sources_of_instance(&self, id: &str) -> Option<Vec<Source>> {
        let instance = self.ec2().instances.get(id);
        let mut interfaces = self.interfaces_of_instance.get(id).cloned().unwrap_or_default();
        let first = instance.and_then(|instance| instance.private_ip_address);
        interfaces.sort_by_key(|index| {
            let interface = self.interfaces.get(*index);
            (
                interface.is_some_and(|interface| first.is_some() && interface.primary != first),
                interface.map(|interface| interface.id.clone()),
            )
        });
        if interfaces.is_empty() {
            let instance = instance?;
            let groups = instance.security_groups.iter().map(|group| group.group_id.clone()).collect();
            let source =
                Source::in_subnet(SourceKind::Instance, id, instance.subnet_id.clone()?, Some(groups));
            return Some(vec![Source { address: instance.private_ip_address.map(IpAddr::V4), ..source }]);
        }
        Some(interfaces.iter().filter_map(|index| self.interfaces.get(*index)).map(source_of).collect())
    }

    /// The instances of a subnet; where it has none, a workload with the group of the VPC's clusters.
    fn sources_in_subnet(&self, id: &str) -> Vec<Source> {
        let index = self.subnet_by_id.get(id).copied();
        let here: Vec<Source> = self
            .interfaces
            .iter()
            .filter(|interface| interface.subnet == index && interface.instance.is_some())
            .map(source_of)
            .collect();
        if !here.is_empty() {
            return here;
        }
        let vpc = self.ec2().subnets.get(id).map(|subnet| subnet.vpc_id.as_str());
        let mut groups: BTreeSet<&String> = BTreeSet::new();
        for cluster in self.snapshot.clusters.values() {
            if let Some(config) =
                cluster.resources_vpc_config.as_ref().filter(|config| config.vpc_id.as_deref() == vpc)
            {
                groups.extend(&config.cluster_security_group_id);
            }
        }
        let groups = (groups.len() == 1).then(|| groups.into_iter().cloned().collect());
        vec![Source::in_subnet(SourceKind::Subnet, id, id, groups)]
    }

    /// The nodes of a group, or where it would start some.
    fn sources_of_nodegroup(&self, text: &str) -> Vec<Source> {
        let mut sources = Vec::new();
        for (id, group) in
            self.snapshot.nodegroups.iter().filter(|(id, group)| *id == text || group.nodegroup_name == text)
        {
            let nodes = self.nodes_of_group(&group.cluster_name, &group.nodegroup_name);
            if nodes.is_empty() {
                let groups = self.groups_of_template(group);
                sources.extend(
                    group
                        .subnets
                        .iter()
                        .map(|subnet| Source::in_subnet(SourceKind::Nodegroup, id, subnet, groups.clone())),
                );
            }
            sources.extend(nodes);
        }
        sources
    }

    fn nodes_of_group(&self, cluster: &str, group: &str) -> Vec<Source> {
        let nodes = self.nodes_of_group.get(&(cluster, group)).into_iter().flatten();
        nodes.filter_map(|instance| self.sources_of_instance(&instance.instance_id)).flatten().collect()
    }

    /// Whether a managed group has running nodes.
    pub fn has_nodes(&self, cluster: &str, group: &str) -> bool {
        self.nodes_of_group.contains_key(&(cluster, group))
    }

    fn sources_of_fargate_profile(&self, text: &str) -> Vec<Source> {
        let mut sources = Vec::new();
        for (id, profile) in self
            .snapshot
            .fargate_profiles
            .iter()
            .filter(|(id, profile)| *id == text || profile.fargate_profile_name == text)
        {
            let groups = self.cluster_group(&profile.cluster_name);
            sources.extend(
                profile
                    .subnets
                    .iter()
                    .map(|subnet| Source::in_subnet(SourceKind::FargateProfile, id, subnet, groups.clone())),
            );
        }
        sources
    }

    /// A Kubernetes node, by the name that it has in the cluster.
    fn sources_of_node(&self, text: &str) -> Vec<Source> {
        let node = self.snapshot.kubernetes.nodes.get(text).and_then(|node| node.instance_id());
        if let Some(sources) = node.and_then(|id| self.sources_of_instance(id)) {
            return sources;
        }
        let mut nodes = self
            .ec2()
            .instances
            .values()
            .filter(|instance| instance.private_dns_name.as_deref() == Some(text));
        nodes.next().and_then(|instance| self.sources_of_instance(&instance.instance_id)).unwrap_or_default()
    }

    /// Those that the launch template of a group gives to its nodes, or else the cluster's; none where nobody looked.
    fn groups_of_template(&self, group: &Nodegroup) -> Option<Vec<String>> {
        let named = match self.snapshot.template_of(group) {
            Seen::Known(template) => template.groups(),
            Seen::Absent => Seen::Absent,
            Seen::Unread(_) => return None,
        };
        match named {
            Seen::Known(groups) => Some(groups),
            Seen::Absent => self.cluster_group(&group.cluster_name),
            Seen::Unread(_) => None,
        }
    }

    fn cluster_group(&self, cluster: &str) -> Option<Vec<String>> {
        let mut clusters = self.snapshot.clusters.values().filter(|row| row.name == cluster);
        Some(vec![clusters.next()?.resources_vpc_config.as_ref()?.cluster_security_group_id.clone()?])
    }

    fn sources_at(&self, address: IpAddr) -> Result<Vec<Source>, Error> {
        let mut sources = Vec::new();
        // The public address of an interface stands for the interface.
        if let IpAddr::V4(public) = address
            && let Some(interface) =
                self.public_addresses.get(&public).and_then(|(index, _)| self.interfaces.get(*index))
        {
            return Ok(vec![source_of(interface)]);
        }
        for (index, vpc) in self.vpcs.iter().enumerate() {
            if let Some(interface) =
                self.interface_at(index, address).and_then(|index| self.interfaces.get(index))
            {
                sources.push(Source {
                    kind: SourceKind::Address,
                    id: address.to_string(),
                    address: Some(address),
                    ..source_of(interface)
                });
            } else if let Some(subnet) = vpc.by_address.get(address).and_then(|index| self.subnets.get(index))
            {
                let source =
                    Source::in_subnet(SourceKind::Address, address.to_string(), subnet.id.clone(), None);
                sources.push(Source { address: Some(address), ..source });
            }
        }
        let exact = sources.iter().filter(|source| source.interface.is_some()).count();
        if exact == 1 {
            sources.retain(|source| source.interface.is_some());
        }
        match sources.len() {
            0 if self.public_services.contains(address) => {
                let source = Source::interface(address.to_string());
                Ok(vec![Source {
                    kind: SourceKind::Internet,
                    interface: None,
                    address: Some(address),
                    ..source
                }])
            }
            0 => Err(self.unknown_source(&address.to_string())),
            1 => Ok(sources),
            _ => {
                let names: Vec<String> = sources.iter().map(Source::name).collect();
                let hint = format!("name the network interface or the subnet: {}", names.join(", "));
                Err(Error::new(Code::BadInput, format!("{address} stands in several VPCs"), hint))
            }
        }
    }

    fn unknown_source(&self, text: &str) -> Error {
        let ids = self
            .interface_by_id
            .keys()
            .chain(self.interfaces_of_instance.keys())
            .chain(self.ec2().instances.keys());
        let ids = ids
            .chain(self.subnet_by_id.keys())
            .chain(self.snapshot.nodegroups.keys())
            .chain(self.snapshot.fargate_profiles.keys());
        unknown_id("source", text, ids)
    }

    /// The class of a source: see [`Class`].
    pub fn class_of(&self, source: &Source) -> Class {
        let (v4, v6) = (self.end_of(source, Family::V4), self.end_of(source, Family::V6));
        let address = v4.addresses.single().or(v6.addresses.single());
        let mut groups: Option<Vec<String>> = v4.groups.as_ref().map(|groups| groups.to_vec());
        groups.iter_mut().for_each(|groups| groups.sort());
        let singled_out = match (v4.subnet, address) {
            (Some(subnet), Some(address)) => {
                let blocks = self.narrow_blocks.get(&subnet).into_iter().flatten().enumerate();
                blocks.filter(|(_, block)| block.contains(&address)).map(|(index, _)| index).collect()
            }
            _ => Vec::new(),
        };
        Class {
            subnet: v4.subnet,
            groups,
            public: v4.public != PublicAddress::None,
            families: (!v4.addresses.is_empty(), !v6.addresses.is_empty()),
            singled_out,
        }
    }

    /// Sources by class: the first of each stands for the others.
    pub fn classes<'s>(&self, sources: &'s [Source]) -> Vec<Vec<&'s Source>> {
        let mut classes: BTreeMap<Class, Vec<&Source>> = BTreeMap::new();
        for source in sources {
            classes.entry(self.class_of(source)).or_default().push(source);
        }
        let mut classes: Vec<Vec<&Source>> = classes.into_values().collect();
        classes.sort_by(|one, other| one.first().cmp(&other.first()));
        classes
    }

    /// The id of the subnet of a source, where it was read.
    pub fn subnet_of(&self, source: &Source) -> Option<&str> {
        let subnet = self.end_of(source, Family::V4).subnet?;
        self.subnets.get(subnet).map(|subnet| subnet.id.as_str())
    }

    /// The security groups of a source; `None` where they were not read.
    pub fn groups_of(&self, source: &Source) -> Option<Vec<String>> {
        self.end_of(source, Family::V4).groups.map(|groups| groups.to_vec())
    }

    /// The route table of a subnet: its own, or the one of the VPC.
    pub fn route_table_of(&self, subnet: &str) -> Option<&str> {
        let subnet = self.subnet_by_id.get(subnet).and_then(|index| self.subnets.get(*index))?;
        self.tables.get(subnet.table?).map(|table| table.id.as_str())
    }

    /// The source as one end of a connection over IPv4 or IPv6.
    pub(super) fn end_of(&self, source: &Source, family: Family) -> End {
        let interface = source.interface.as_ref().and_then(|id| self.interface_by_id.get(id)).copied();
        let row = interface.and_then(|index| self.interfaces.get(index));
        let named = source.subnet.as_ref().and_then(|id| self.subnet_by_id.get(id)).copied();
        let subnet = row.and_then(|row| row.subnet).or(named);
        let known = subnet.and_then(|index| self.subnets.get(index));
        let address = source.address.or_else(|| match family {
            Family::V4 => row?.primary.map(IpAddr::V4),
            Family::V6 => row?.ipv6.map(IpAddr::V6),
        });
        let exact = address.map(|address| AddressSet::from(address).of(family));
        let somewhere = || known.filter(|_| row.is_none()).map(|subnet| subnet.blocks.of(family));
        let internet = source.kind == SourceKind::Internet;
        let groups =
            source.groups.clone().or_else(|| row.map(|row| row.groups.clone())).or(internet.then(Vec::new));
        End {
            every: exact.is_some(),
            addresses: exact.or_else(somewhere).unwrap_or_default(),
            prefix_list: None,
            service: false,
            groups: groups.map(Arc::from),
            subnet,
            interface,
            public: self.public_address_of(source, row, known.is_some_and(|subnet| subnet.public_on_launch)),
            internet,
            ports: Ports::LINUX,
        }
    }

    fn public_address_of(&self, source: &Source, row: Option<&Interface>, on_launch: bool) -> PublicAddress {
        match (row, source.address) {
            (Some(row), None) => {
                row.public.map_or(PublicAddress::None, |address| PublicAddress::Has(Some(address)))
            }
            (Some(_), Some(private)) => {
                let own = self
                    .public_addresses
                    .iter()
                    .find(|(_, (_, stands_for))| IpAddr::V4(*stands_for) == private);
                own.map_or(PublicAddress::None, |(address, _)| PublicAddress::Has(Some(*address)))
            }
            (None, _) => {
                let public =
                    self.ec2().instances.get(&source.id).and_then(|instance| instance.public_ip_address);
                // Fargate gives pods private addresses only.
                let would_have = on_launch
                    && source.kind != SourceKind::FargateProfile
                    && source.kind != SourceKind::Instance;
                match public {
                    Some(address) => PublicAddress::Has(Some(address)),
                    None if would_have => PublicAddress::Has(None),
                    None => PublicAddress::None,
                }
            }
        }
    }

    /// The hops that a source begins with.
    pub(super) fn first_hops(&self, source: &Source) -> Vec<Hop> {
        let row = source
            .interface
            .as_ref()
            .and_then(|id| self.interface_by_id.get(id))
            .and_then(|index| self.interfaces.get(*index));
        if source.kind == SourceKind::Internet {
            return Vec::new();
        }
        let Some(row) = row else {
            let kind =
                if source.kind == SourceKind::Instance { HopKind::Instance } else { HopKind::Workload };
            return vec![Hop::new(kind, &source.id)];
        };
        let instance = row.instance.iter().map(|instance| Hop::new(HopKind::Instance, instance));
        instance.chain([Hop::new(HopKind::NetworkInterface, &row.id)]).collect()
    }
}

/// The running nodes of managed groups, by cluster and group, known by the tags that EKS gives them.
pub(super) fn nodes_of_groups(ec2: &Ec2) -> BTreeMap<(&str, &str), Vec<&Instance>> {
    let mut groups: BTreeMap<(&str, &str), Vec<&Instance>> = BTreeMap::new();
    for instance in ec2.instances.values() {
        if let Some(group) = instance.managed_group() {
            groups.entry(group).or_default().push(instance);
        }
    }
    groups
}

fn source_of(interface: &Interface) -> Source {
    let (kind, id) = match &interface.instance {
        Some(instance) => (SourceKind::Instance, instance.clone()),
        None => (SourceKind::NetworkInterface, interface.id.clone()),
    };
    Source { kind, id, interface: Some(interface.id.clone()), subnet: None, groups: None, address: None }
}

/// An error that names the ids which look most like what was asked for.
pub(super) fn unknown_id<'i>(what: &str, text: &str, ids: impl Iterator<Item = &'i String>) -> Error {
    const SHOWN: usize = 5;
    let alike = |id: &str| id.chars().zip(text.chars()).take_while(|(one, other)| one == other).count();
    let mut ids: Vec<&String> = ids.collect();
    ids.sort_by_key(|id| (std::cmp::Reverse(alike(id)), (*id).clone()));
    ids.dedup();
    let near: Vec<&str> = ids.iter().take(SHOWN).map(|id| id.as_str()).collect();
    let hint = if near.is_empty() {
        "the snapshot holds no network interface, instance or subnet: collect NetworkInterfaces, Reservations and Subnets".to_owned()
    } else {
        format!("name one that the snapshot holds, such as {}", near.join(", "))
    };
    Error::new(Code::NotFound, format!("there is no {what} {text} in the snapshot"), hint)
}
