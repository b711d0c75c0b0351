//! Worlds in which every pull works, as the AWS CLI would print them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ecr_fix::model::Snapshot;
use ecr_fix::snapshot_dir::{Loaded, read_file};
use serde_json::{Value, json};

use super::row;

pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const OTHER: &str = "444455556666";
pub(crate) const REGION: &str = "eu-west-1";
pub(crate) const NODE_ROLE: &str = "arn:aws:iam::111122223333:role/node";
pub(crate) const FARGATE_ROLE: &str = "arn:aws:iam::111122223333:role/fargate";
const DIGEST: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";

/// How the nodes and pods reach AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topology {
    /// Nodes with public addresses.
    Public,
    /// Through a NAT gateway.
    Nat,
    /// Through endpoints alone.
    Private,
    /// Through a NAT gateway, without nodes.
    FargateOnly,
    /// The image is in another account.
    CrossAccount,
    /// The image is in another region.
    CrossRegion,
    /// Images by the dual-stack name of the registry, over IPv6 and, for layers, NAT.
    DualStack,
    /// Through the endpoints of a hub, beyond a peering, by private zones; S3 by a gateway endpoint.
    Spoke,
    /// Through a transit gateway and the NAT gateway of a VPC for egress.
    CentralEgress,
    /// Nodes of EKS Auto Mode, through a NAT gateway.
    AutoMode,
}

impl Topology {
    pub(crate) const ALL: [Topology; 10] = [
        Topology::Public,
        Topology::Nat,
        Topology::Private,
        Topology::FargateOnly,
        Topology::CrossAccount,
        Topology::CrossRegion,
        Topology::DualStack,
        Topology::Spoke,
        Topology::CentralEgress,
        Topology::AutoMode,
    ];
}

/// A world as files, and the images that are pulled in it.
#[derive(Clone, Debug)]
pub(crate) struct Ground {
    files: BTreeMap<String, Value>,
    pub(crate) images: Vec<String>,
}

impl Ground {
    pub(crate) fn of(topology: Topology) -> Ground {
        let mut ground = Ground { files: BTreeMap::new(), images: Vec::new() };
        ground.network();
        ground.puller(topology);
        ground.roles();
        match topology {
            Topology::Public => ground.public_nodes(),
            Topology::Private => ground.endpoints(),
            Topology::DualStack => ground.dual_stack(),
            Topology::Spoke => ground.spoke(),
            Topology::CentralEgress => ground.central_egress(),
            Topology::AutoMode => ground.auto_mode(),
            Topology::Nat | Topology::FargateOnly | Topology::CrossAccount | Topology::CrossRegion => {}
        }
        match topology {
            Topology::CrossAccount => ground.shared_image(),
            Topology::CrossRegion => ground.image(ACCOUNT, "us-east-1", "app", "v1"),
            Topology::DualStack => {
                ground.image(ACCOUNT, REGION, "app", "v1");
                ground.images = vec![format!("{ACCOUNT}.dkr-ecr.{REGION}.on.aws/app:v1")];
            }
            _ => ground.image(ACCOUNT, REGION, "app", "v1"),
        }
        ground
    }

    /// The list of a key, made where there is none.
    pub(crate) fn list(&mut self, key: &str) -> &mut Value {
        let file = self.files.entry(format!("{key}.json")).or_insert_with(|| json!({ key: [] }));
        &mut file[key]
    }

    pub(crate) fn add(&mut self, key: &str, value: Value) {
        self.list(key).as_array_mut().unwrap().push(value);
    }

    /// A file whose top level is one row.
    pub(crate) fn file(&mut self, name: &str) -> &mut Value {
        self.files.entry(format!("{name}.json")).or_insert(Value::Null)
    }

    pub(crate) fn has_file(&self, name: &str) -> bool {
        self.files.contains_key(&format!("{name}.json"))
    }

    pub(crate) fn remove(&mut self, key: &str, field: &str, value: &str) {
        let rows = self.list(key).as_array_mut().unwrap();
        let before = rows.len();
        rows.retain(|row| row[field] != value);
        assert!(rows.len() < before, "no {key} {value}");
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let mut loaded = Loaded::default();
        // That a cluster has none of one sort was read too.
        loaded.snapshot.keys.insert("nodegroup".to_owned());
        for (name, file) in &self.files {
            if name == "snapshot.json" {
                for what in file["not_found"].as_array().unwrap() {
                    loaded.snapshot.not_found.insert(what.as_str().unwrap().to_owned());
                }
                loaded.snapshot.about.account = Some(ACCOUNT.to_owned());
                continue;
            }
            read_file(&mut loaded, Path::new(name), &file.to_string()).unwrap();
        }
        loaded.snapshot
    }

    /// The files that somebody may not have been allowed to read. Without the cluster and what is in it there is nothing
    /// to say; what organizations, private zones and DNS firewalls forbid, what Kubernetes knows, and which layers are there,
    /// is said to be unread beside the verdicts.
    pub(crate) fn optional_files(&self) -> Vec<String> {
        let needed = [
            "cluster",
            "nodegroup",
            "fargateProfile",
            "snapshot",
            "Organization",
            "Parents",
            "policies-of",
            "policy-",
        ];
        let said_beside = [
            "HostedZoneSummaries",
            "zone-",
            "HostedZone",
            "nodes",
            "pods",
            "layers-",
            "FirewallRuleGroupAssociations",
        ];
        let is = |name: &String, known: &[&str]| known.iter().any(|known| name.starts_with(known));
        self.files.keys().filter(|name| !is(name, &needed) && !is(name, &said_beside)).cloned().collect()
    }

    pub(crate) fn without(&self, hidden: &BTreeSet<&String>) -> Ground {
        let mut part = self.clone();
        part.files.retain(|name, _| !hidden.contains(name));
        part
    }

    /// What was asked for by name, and is not there.
    pub(crate) fn not_found(&mut self, call: &str, resource: &str) {
        let file = self.file("snapshot");
        if file.is_null() {
            *file = json!({ "not_found": [] });
        }
        file["not_found"].as_array_mut().unwrap().push(json!(format!("{call} {resource}")));
    }

    fn network(&mut self) {
        *self.file("cluster") = json!({ "cluster": {
            "name": "demo", "arn": format!("arn:aws:eks:{REGION}:{ACCOUNT}:cluster/demo"), "version": "1.33", "status": "ACTIVE",
            "resourcesVpcConfig": { "vpcId": "vpc-1", "subnetIds": ["subnet-a", "subnet-f"], "securityGroupIds": [],
                "clusterSecurityGroupId": "sg-cluster" } } });
        self.add("Vpcs", json!({ "VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16", "DhcpOptionsId": "dopt-1",
            "CidrBlockAssociationSet": [{ "CidrBlock": "10.0.0.0/16", "CidrBlockState": { "State": "associated" } }] }));
        self.add(
            "DhcpOptions",
            json!({ "DhcpOptionsId": "dopt-1", "DhcpConfigurations": [
            { "Key": "domain-name-servers", "Values": [{ "Value": "AmazonProvidedDNS" }] }] }),
        );
        *self.file("EnableDnsSupport") = json!({ "VpcId": "vpc-1", "EnableDnsSupport": { "Value": true } });
        *self.file("EnableDnsHostnames") =
            json!({ "VpcId": "vpc-1", "EnableDnsHostnames": { "Value": true } });
        for (id, number) in [("subnet-a", 1), ("subnet-f", 2), ("subnet-p", 0)] {
            self.subnet("vpc-1", id, &format!("10.0.{number}.0/24"));
        }
        for (id, subnet) in [("rtb-a", "subnet-a"), ("rtb-f", "subnet-f"), ("rtb-p", "subnet-p")] {
            let target = if id == "rtb-p" { ("GatewayId", "igw-1") } else { ("NatGatewayId", "nat-1") };
            self.add(
                "RouteTables",
                json!({ "RouteTableId": id, "VpcId": "vpc-1",
                "Associations": [{ "Main": id == "rtb-p", "SubnetId": subnet }],
                "Routes": [{ "DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local", "State": "active" },
                    { "DestinationCidrBlock": "0.0.0.0/0", target.0: target.1, "State": "active" }] }),
            );
        }
        self.add("InternetGateways", json!({ "InternetGatewayId": "igw-1", "Attachments": [{ "State": "available", "VpcId": "vpc-1" }] }));
        self.add("NatGateways", json!({ "NatGatewayId": "nat-1", "VpcId": "vpc-1", "SubnetId": "subnet-p", "State": "available",
            "ConnectivityType": "public", "NatGatewayAddresses": [{ "NetworkInterfaceId": "eni-nat", "PrivateIp": "10.0.0.10", "PublicIp": "203.0.113.10" }] }));
        self.interface("vpc-1", "subnet-p", "eni-nat", "10.0.0.10", &[]);
        for group in ["sg-cluster", "sg-node"] {
            self.group("vpc-1", group, json!([]), json!([everything()]));
        }
        for (id, subnets) in [("acl-a", &["subnet-a"][..]), ("acl-other", &["subnet-f", "subnet-p"])] {
            self.network_acl("vpc-1", id, subnets);
        }
        self.list("VpcEndpoints");
        self.list("EgressOnlyInternetGateways");
        self.add(
            "PrefixLists",
            json!({ "PrefixListId": "pl-s3", "PrefixListName": format!("com.amazonaws.{REGION}.s3"),
            "Cidrs": ["52.218.0.0/17", "3.5.64.0/21"] }),
        );
        self.list("pullThroughCacheRules");
    }

    fn subnet(&mut self, vpc: &str, id: &str, block: &str) {
        self.add("Subnets", json!({ "SubnetId": id, "VpcId": vpc, "CidrBlock": block, "AvailabilityZone": format!("{REGION}a"),
            "MapPublicIpOnLaunch": false, "OwnerId": ACCOUNT, "State": "available" }));
    }

    fn interface(&mut self, vpc: &str, subnet: &str, id: &str, address: &str, groups: &[&str]) {
        let groups: Vec<Value> = groups.iter().map(|group| json!({ "GroupId": group })).collect();
        self.add("NetworkInterfaces", json!({ "NetworkInterfaceId": id, "SubnetId": subnet, "VpcId": vpc, "Groups": groups,
            "PrivateIpAddress": address, "PrivateIpAddresses": [{ "Primary": true, "PrivateIpAddress": address }], "Status": "in-use" }));
    }

    fn group(&mut self, vpc: &str, id: &str, ingress: Value, egress: Value) {
        self.add(
            "SecurityGroups",
            json!({ "GroupId": id, "GroupName": id, "VpcId": vpc, "OwnerId": ACCOUNT,
            "IpPermissions": ingress, "IpPermissionsEgress": egress }),
        );
    }

    fn network_acl(&mut self, vpc: &str, id: &str, subnets: &[&str]) {
        let associations: Vec<Value> =
            subnets.iter().map(|subnet| json!({ "SubnetId": subnet, "NetworkAclId": id })).collect();
        let entry = |egress: bool, block: (&str, &str)| {
            json!({ "Egress": egress, block.0: block.1, "Protocol": "-1", "RuleAction": "allow",
                "RuleNumber": if block.0 == "CidrBlock" { 100 } else { 101 } })
        };
        let (v4, v6) = (("CidrBlock", "0.0.0.0/0"), ("Ipv6CidrBlock", "::/0"));
        self.add(
            "NetworkAcls",
            json!({ "NetworkAclId": id, "VpcId": vpc, "IsDefault": false, "Associations": associations,
            "Entries": [entry(true, v4), entry(false, v4), entry(true, v6), entry(false, v6)] }),
        );
    }

    fn puller(&mut self, topology: Topology) {
        let arn = format!("arn:aws:eks:{REGION}:{ACCOUNT}");
        *self.file("fargateProfile") = json!({ "fargateProfile": { "fargateProfileName": "fp", "clusterName": "demo",
            "fargateProfileArn": format!("{arn}:fargateprofile/demo/fp/1"), "podExecutionRoleArn": FARGATE_ROLE,
            "subnets": ["subnet-f"], "selectors": [{ "namespace": "x" }], "status": "ACTIVE" } });
        self.list("Reservations");
        self.list("InstanceProfiles");
        if topology == Topology::FargateOnly {
            return;
        }
        *self.file("nodegroup") = json!({ "nodegroup": { "nodegroupName": "ng", "clusterName": "demo", "nodeRole": NODE_ROLE,
            "nodegroupArn": format!("{arn}:nodegroup/demo/ng/1"), "subnets": ["subnet-a"], "status": "ACTIVE",
            "amiType": "AL2023_x86_64_STANDARD" } });
        self.interface("vpc-1", "subnet-a", "eni-node", "10.0.1.10", &["sg-node"]);
        row(self.list("NetworkInterfaces"), "NetworkInterfaceId", "eni-node")["Attachment"] =
            json!({ "InstanceId": "i-node" });
        let interface = row(self.list("NetworkInterfaces"), "NetworkInterfaceId", "eni-node").clone();
        self.add("Reservations", json!({ "Instances": [{ "InstanceId": "i-node", "State": { "Name": "running" }, "VpcId": "vpc-1",
            "SubnetId": "subnet-a", "PrivateIpAddress": "10.0.1.10", "Architecture": "x86_64",
            "SecurityGroups": [{ "GroupId": "sg-node" }], "NetworkInterfaces": [interface],
            "IamInstanceProfile": { "Arn": format!("arn:aws:iam::{ACCOUNT}:instance-profile/node") },
            "MetadataOptions": { "HttpEndpoint": "enabled", "HttpTokens": "required", "HttpPutResponseHopLimit": 2 },
            "Tags": [{ "Key": "eks:nodegroup-name", "Value": "ng" }, { "Key": "eks:cluster-name", "Value": "demo" },
                { "Key": "kubernetes.io/cluster/demo", "Value": "owned" }] }] }));
        self.add("InstanceProfiles", json!({ "InstanceProfileName": "node", "Arn": format!("arn:aws:iam::{ACCOUNT}:instance-profile/node"),
            "Roles": [{ "RoleName": "node", "Arn": NODE_ROLE }] }));
    }

    /// The node, for changes of both of its descriptions.
    pub(crate) fn node(&mut self) -> &mut Value {
        &mut self.list("Reservations")[0]["Instances"][0]
    }

    /// The node, as Kubernetes knows it.
    pub(crate) fn kubelet(&mut self) -> &mut Value {
        let label = if self.has_file("nodegroup") {
            ("eks.amazonaws.com/nodegroup", "ng")
        } else {
            ("karpenter.sh/nodepool", "general-purpose")
        };
        let node = json!({ "kind": "Node", "metadata": { "name": "ip-10-0-1-10", "labels": { label.0: label.1 } },
            "spec": { "providerID": format!("aws:///{REGION}a/i-node") }, "status": { "conditions": [] } });
        self.kubernetes("nodes", node);
        row_named(&mut self.file("nodes")["items"], "ip-10-0-1-10")
    }

    /// An object of Kubernetes, where there is none of its name yet.
    pub(crate) fn kubernetes(&mut self, file: &str, object: Value) {
        let file = self.file(file);
        if file.is_null() {
            *file = json!({ "kind": "List", "apiVersion": "v1", "items": [] });
        }
        let items = file["items"].as_array_mut().unwrap();
        let name = &object["metadata"]["name"];
        if items.iter().all(|item| item["metadata"]["name"] != *name) {
            items.push(object);
        }
    }

    fn roles(&mut self) {
        let trust = |service: &str| {
            json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "sts:AssumeRole",
                "Principal": { "Service": service } }] })
        };
        for (name, arn, id, service, policy) in [
            ("node", NODE_ROLE, "AROANODE", "ec2.amazonaws.com", "AmazonEC2ContainerRegistryPullOnly"),
            (
                "fargate",
                FARGATE_ROLE,
                "AROAFARGATE",
                "eks-fargate-pods.amazonaws.com",
                "AmazonEKSFargatePodExecutionRolePolicy",
            ),
        ] {
            self.add("RoleDetailList", json!({ "RoleName": name, "RoleId": id, "Arn": arn, "Path": "/",
                "AssumeRolePolicyDocument": trust(service), "RolePolicyList": [],
                "AttachedManagedPolicies": [{ "PolicyName": policy, "PolicyArn": format!("arn:aws:iam::aws:policy/{policy}") }] }));
        }
    }

    pub(crate) fn role(&mut self, name: &str) -> &mut Value {
        row(self.list("RoleDetailList"), "RoleName", name)
    }

    /// An image that is there, in a repository of its own, and is pulled.
    pub(crate) fn image(&mut self, account: &str, region: &str, name: &str, tag: &str) {
        self.repository(account, region, name);
        self.add("imageDetails", json!({ "registryId": account, "region": region, "repositoryName": name, "imageDigest": DIGEST,
            "imageTags": [tag], "imageManifestMediaType": "application/vnd.oci.image.manifest.v1+json", "imageStatus": "ACTIVE" }));
        self.pull(account, region, &format!("{name}:{tag}"));
    }

    pub(crate) fn repository(&mut self, account: &str, region: &str, name: &str) {
        self.add("repositories", json!({ "repositoryArn": arn_of(account, region, name), "registryId": account, "repositoryName": name }));
        self.policy(account, region, Some(name), None);
        self.registry(account, region);
    }

    /// A registry with no policy of its own.
    pub(crate) fn registry(&mut self, account: &str, region: &str) {
        if !self.has_file(&format!("policy-{account}-{region}-")) {
            self.policy(account, region, None, None);
        }
    }

    /// The policy of a repository, or of a registry.
    pub(crate) fn policy(
        &mut self,
        account: &str,
        region: &str,
        name: Option<&str>,
        document: Option<Value>,
    ) {
        let file = format!("policy-{account}-{region}-{}", name.unwrap_or_default().replace('/', "-"));
        let mut row = json!({ "registryId": account, "region": region, "policyText": document.map(|document| document.to_string()) });
        if let Some(name) = name {
            row["repositoryName"] = json!(name);
        }
        *self.file(&file) = row;
    }

    pub(crate) fn pull(&mut self, account: &str, region: &str, name: &str) {
        self.images.push(format!("{account}.dkr.ecr.{region}.amazonaws.com/{name}"));
    }

    fn shared_image(&mut self) {
        self.image(OTHER, REGION, "shared", "v1");
        self.policy(OTHER, REGION, Some("shared"), Some(grant(json!({ "AWS": [NODE_ROLE, FARGATE_ROLE] }))));
    }

    /// Nodes on the internet; pods of Fargate are private always.
    fn public_nodes(&mut self) {
        row(self.list("RouteTables"), "RouteTableId", "rtb-a")["Routes"][1] =
            json!({ "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1", "State": "active" });
        let public = json!({ "PublicIp": "203.0.113.77" });
        row(self.list("NetworkInterfaces"), "NetworkInterfaceId", "eni-node")["Association"] = public.clone();
        self.node()["PublicIpAddress"] = json!("203.0.113.77");
        self.node()["NetworkInterfaces"][0]["Association"] = public;
    }

    fn endpoints(&mut self) {
        for table in ["rtb-a", "rtb-f"] {
            row(self.list("RouteTables"), "RouteTableId", table)["Routes"]
                .as_array_mut()
                .unwrap()
                .truncate(1);
        }
        self.interface_endpoints("vpc-1", "subnet-f", "10.0.2", true);
        self.s3_gateway(&["rtb-a", "rtb-f"]);
    }

    fn interface_endpoints(&mut self, vpc: &str, subnet: &str, block: &str, private_dns: bool) {
        let all = json!([{ "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{ "CidrIp": "10.0.0.0/8" }] }]);
        for (number, service) in ["ecr.api", "ecr.dkr"].into_iter().enumerate() {
            let short = service.trim_start_matches("ecr.");
            let (id, interface) = (format!("vpce-{short}"), format!("eni-{short}"));
            // Each with a group of its own, so that a fault of one is not one of the other.
            let group = format!("sg-{short}");
            self.group(vpc, &group, all.clone(), json!([everything()]));
            self.interface(vpc, subnet, &interface, &format!("{block}.{}", 20 + number), &[&group]);
            self.add("VpcEndpoints", json!({ "VpcEndpointId": id, "VpcEndpointType": "Interface", "VpcId": vpc, "State": "available",
                "ServiceName": format!("com.amazonaws.{REGION}.{service}"), "SubnetIds": [subnet], "Groups": [{ "GroupId": group }],
                "NetworkInterfaceIds": [interface], "PrivateDnsEnabled": private_dns, "PolicyDocument": open_policy().to_string(),
                "DnsEntries": [{ "DnsName": format!("{id}-x.{service}.{REGION}.vpce.amazonaws.com"), "HostedZoneId": "ZVPCE" }] }));
        }
    }

    fn s3_gateway(&mut self, tables: &[&str]) {
        self.add("VpcEndpoints", json!({ "VpcEndpointId": "vpce-s3", "VpcEndpointType": "Gateway", "VpcId": "vpc-1", "State": "available",
            "ServiceName": format!("com.amazonaws.{REGION}.s3"), "RouteTableIds": tables, "PrivateDnsEnabled": false,
            "PolicyDocument": open_policy().to_string() }));
        for table in tables {
            let routes = &mut row(self.list("RouteTables"), "RouteTableId", table)["Routes"];
            routes.as_array_mut().unwrap().push(
                json!({ "DestinationPrefixListId": "pl-s3", "GatewayId": "vpce-s3", "State": "active" }),
            );
        }
    }

    fn central_egress(&mut self) {
        for table in ["rtb-a", "rtb-f"] {
            row(self.list("RouteTables"), "RouteTableId", table)["Routes"][1] = json!({ "DestinationCidrBlock": "0.0.0.0/0", "TransitGatewayId": "tgw-1", "State": "active" });
        }
        self.remove("NatGateways", "NatGatewayId", "nat-1");
        let block = "10.8.0.0/16";
        self.add("Vpcs", json!({ "VpcId": "vpc-egress", "CidrBlock": block, "DhcpOptionsId": "dopt-1",
            "CidrBlockAssociationSet": [{ "CidrBlock": block, "CidrBlockState": { "State": "associated" } }] }));
        self.subnet("vpc-egress", "subnet-tgw", "10.8.1.0/24");
        self.subnet("vpc-egress", "subnet-nat", "10.8.2.0/24");
        let back =
            json!({ "DestinationCidrBlock": "10.0.0.0/16", "TransitGatewayId": "tgw-1", "State": "active" });
        for (table, subnet, (kind, target)) in [
            ("rtb-tgw", "subnet-tgw", ("NatGatewayId", "nat-egress")),
            ("rtb-nat", "subnet-nat", ("GatewayId", "igw-egress")),
        ] {
            self.add(
                "RouteTables",
                json!({ "RouteTableId": table, "VpcId": "vpc-egress",
                "Associations": [{ "Main": table == "rtb-nat", "SubnetId": subnet }],
                "Routes": [{ "DestinationCidrBlock": block, "GatewayId": "local", "State": "active" },
                    { "DestinationCidrBlock": "0.0.0.0/0", kind: target, "State": "active" }, back] }),
            );
        }
        self.add("InternetGateways", json!({ "InternetGatewayId": "igw-egress", "Attachments": [{ "State": "available", "VpcId": "vpc-egress" }] }));
        self.add("NatGateways", json!({ "NatGatewayId": "nat-egress", "VpcId": "vpc-egress", "SubnetId": "subnet-nat", "State": "available",
            "ConnectivityType": "public", "NatGatewayAddresses": [{ "NetworkInterfaceId": "eni-egress", "PrivateIp": "10.8.2.10", "PublicIp": "203.0.113.20" }] }));
        self.interface("vpc-egress", "subnet-nat", "eni-egress", "10.8.2.10", &[]);
        self.network_acl("vpc-egress", "acl-egress", &["subnet-tgw", "subnet-nat"]);
        self.add("TransitGateways", json!({ "TransitGatewayId": "tgw-1", "State": "available" }));
        let table = "tgw-rtb-1";
        let mut propagations = Vec::new();
        for (id, vpc, subnets) in [
            ("tgw-attach-1", "vpc-1", &["subnet-a", "subnet-f"][..]),
            ("tgw-attach-2", "vpc-egress", &["subnet-tgw"]),
        ] {
            self.add(
                "TransitGatewayAttachments",
                json!({ "TransitGatewayAttachmentId": id, "TransitGatewayId": "tgw-1",
                "ResourceType": "vpc", "ResourceId": vpc, "State": "available",
                "Association": { "TransitGatewayRouteTableId": table, "State": "associated" } }),
            );
            self.add(
                "TransitGatewayVpcAttachments",
                json!({ "TransitGatewayAttachmentId": id, "TransitGatewayId": "tgw-1",
                "VpcId": vpc, "State": "available", "SubnetIds": subnets }),
            );
            propagations.push(json!({ "TransitGatewayAttachmentId": id, "ResourceType": "vpc", "ResourceId": vpc, "State": "enabled" }));
        }
        self.add(
            "TransitGatewayRouteTables",
            json!({ "TransitGatewayRouteTableId": table, "TransitGatewayId": "tgw-1" }),
        );
        self.add(
            "TransitGatewayPropagations",
            json!({ "TransitGatewayRouteTableId": table,
            "TransitGatewayRouteTablePropagations": propagations }),
        );
        self.add("TransitGatewayStaticRoutes", json!({ "TransitGatewayRouteTableId": table, "Routes": [
            { "DestinationCidrBlock": "0.0.0.0/0", "State": "active", "Type": "static", "TransitGatewayAttachments": [
                { "TransitGatewayAttachmentId": "tgw-attach-2", "ResourceType": "vpc", "ResourceId": "vpc-egress" }] }] }));
    }

    fn auto_mode(&mut self) {
        self.files.remove("nodegroup.json");
        self.file("cluster")["cluster"]["computeConfig"] =
            json!({ "enabled": true, "nodePools": ["general-purpose"], "nodeRoleArn": NODE_ROLE });
        self.node()["Tags"] = json!([
            { "Key": "eks:eks-cluster-name", "Value": "demo" },
            { "Key": "eks:kubernetes-node-pool-name", "Value": "general-purpose" },
        ]);
    }

    fn dual_stack(&mut self) {
        let blocks = [
            ("subnet-a", "2001:db8:0:1::/64"),
            ("subnet-f", "2001:db8:0:2::/64"),
            ("subnet-p", "2001:db8::/64"),
        ];
        row(self.list("Vpcs"), "VpcId", "vpc-1")["Ipv6CidrBlockAssociationSet"] =
            json!([{ "Ipv6CidrBlock": "2001:db8::/56", "Ipv6CidrBlockState": { "State": "associated" } }]);
        for (subnet, block) in blocks {
            row(self.list("Subnets"), "SubnetId", subnet)["Ipv6CidrBlockAssociationSet"] =
                json!([{ "Ipv6CidrBlock": block, "Ipv6CidrBlockState": { "State": "associated" } }]);
        }
        self.add("EgressOnlyInternetGateways", json!({ "EgressOnlyInternetGatewayId": "eigw-1", "Attachments": [{ "State": "attached", "VpcId": "vpc-1" }] }));
        for table in ["rtb-a", "rtb-f"] {
            let routes = &mut row(self.list("RouteTables"), "RouteTableId", table)["Routes"];
            routes.as_array_mut().unwrap().push(json!({ "DestinationIpv6CidrBlock": "::/0", "EgressOnlyInternetGatewayId": "eigw-1", "State": "active" }));
        }
        let address = json!([{ "Ipv6Address": "2001:db8:0:1::10" }]);
        row(self.list("NetworkInterfaces"), "NetworkInterfaceId", "eni-node")["Ipv6Addresses"] =
            address.clone();
        self.node()["NetworkInterfaces"][0]["Ipv6Addresses"] = address;
        for group in ["sg-node", "sg-cluster"] {
            row(self.list("SecurityGroups"), "GroupId", group)["IpPermissionsEgress"][0]["Ipv6Ranges"] =
                json!([{ "CidrIpv6": "::/0" }]);
        }
    }

    fn spoke(&mut self) {
        for (table, other) in [("rtb-a", "vpc-1"), ("rtb-f", "vpc-1")] {
            let routes = &mut row(self.list("RouteTables"), "RouteTableId", table)["Routes"];
            assert_eq!(other, "vpc-1");
            routes[1] = json!({ "DestinationCidrBlock": "10.9.0.0/16", "VpcPeeringConnectionId": "pcx-1", "State": "active" });
        }
        self.add("Vpcs", json!({ "VpcId": "vpc-hub", "CidrBlock": "10.9.0.0/16", "DhcpOptionsId": "dopt-1",
            "CidrBlockAssociationSet": [{ "CidrBlock": "10.9.0.0/16", "CidrBlockState": { "State": "associated" } }] }));
        self.subnet("vpc-hub", "subnet-hub", "10.9.1.0/24");
        self.add("RouteTables", json!({ "RouteTableId": "rtb-hub", "VpcId": "vpc-hub", "Associations": [{ "Main": true }],
            "Routes": [{ "DestinationCidrBlock": "10.9.0.0/16", "GatewayId": "local", "State": "active" },
                { "DestinationCidrBlock": "10.0.0.0/16", "VpcPeeringConnectionId": "pcx-1", "State": "active" }] }));
        self.network_acl("vpc-hub", "acl-hub", &["subnet-hub"]);
        self.add(
            "VpcPeeringConnections",
            json!({ "VpcPeeringConnectionId": "pcx-1", "Status": { "Code": "active" },
            "RequesterVpcInfo": { "VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16", "OwnerId": ACCOUNT },
            "AccepterVpcInfo": { "VpcId": "vpc-hub", "CidrBlock": "10.9.0.0/16", "OwnerId": ACCOUNT } }),
        );
        self.interface_endpoints("vpc-hub", "subnet-hub", "10.9.1", false);
        self.s3_gateway(&["rtb-a", "rtb-f"]);
        for (zone, name, record, address) in [
            (
                "ZAPI",
                format!("api.ecr.{REGION}.amazonaws.com."),
                format!("api.ecr.{REGION}.amazonaws.com."),
                "10.9.1.20",
            ),
            (
                "ZDKR",
                format!("dkr.ecr.{REGION}.amazonaws.com."),
                format!("\\052.dkr.ecr.{REGION}.amazonaws.com."),
                "10.9.1.21",
            ),
        ] {
            self.zone(zone, &name, &[(&record, address)]);
        }
    }

    /// A private zone of the cluster's VPC, with its records.
    pub(crate) fn zone(&mut self, id: &str, name: &str, records: &[(&str, &str)]) {
        let file = self.file("HostedZoneSummaries");
        if file.is_null() {
            *file = json!({ "VPCId": "vpc-1", "HostedZoneSummaries": [] });
        }
        let summary = json!({ "HostedZoneId": id, "Name": name, "Owner": { "OwningAccount": ACCOUNT } });
        file["HostedZoneSummaries"].as_array_mut().unwrap().push(summary);
        let records: Vec<Value> = records.iter().map(|(name, address)| {
            json!({ "Name": name, "Type": "A", "TTL": 60, "ResourceRecords": [{ "Value": address }] })
        }).collect();
        *self.file(&format!("zone-{id}")) = json!({ "HostedZoneId": id, "ResourceRecordSets": records });
    }
}

fn row_named<'v>(items: &'v mut Value, name: &str) -> &'v mut Value {
    let mut items = items.as_array_mut().unwrap().iter_mut();
    items.find(|item| item["metadata"]["name"] == name).unwrap()
}

pub(crate) fn arn_of(account: &str, region: &str, name: &str) -> String {
    format!("arn:aws:ecr:{region}:{account}:repository/{name}")
}

pub(crate) fn everything() -> Value {
    json!({ "IpProtocol": "-1", "IpRanges": [{ "CidrIp": "0.0.0.0/0" }], "Ipv6Ranges": [], "PrefixListIds": [], "UserIdGroupPairs": [] })
}

pub(crate) fn open_policy() -> Value {
    json!({ "Statement": [{ "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*" }] })
}

/// A repository policy that lets somebody pull.
pub(crate) fn grant(principal: Value) -> Value {
    json!({ "Version": "2012-10-17", "Statement": [{ "Sid": "pull", "Effect": "Allow", "Principal": principal,
        "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"] }] })
}
