//! A whole diagnosis of a large cluster from files, against `jq empty` on the same files.
//!
//! `cargo bench --bench snapshot` makes clusters of up to 20,000 nodes and 100,000 pods in a temporary directory, runs the
//! program on them, and prints CPU time and peak memory. It needs `jq` and GNU `time`.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark of a world that it made itself may stop where that is wrong"
)]

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

const ACCOUNT: &str = "111122223333";
const REGION: &str = "eu-west-1";
const ZONES: [&str; 3] = ["eu-west-1a", "eu-west-1b", "eu-west-1c"];

fn main() {
    // `cargo test --benches` passes other arguments: then one small world is enough to show that this still runs.
    let thousandths: &[usize] =
        if std::env::args().any(|argument| argument == "--bench") { &[100, 500, 1000, 2000] } else { &[5] };
    println!(
        "{:>7} {:>8} {:>9} {:>9} {:>9} {:>9} {:>10}",
        "nodes", "pods", "files MB", "jq s", "ours s", "ours/jq", "peak MB"
    );
    for scale in thousandths {
        measure(&World::of_size(*scale));
    }
}

/// How many there are of everything.
struct World {
    nodes: usize,
    subnets: usize,
    groups: usize,
    roles: usize,
    repositories: usize,
    pods: usize,
    nodegroups: usize,
}

/// CPU seconds of user and system, and megabytes at the peak.
struct Cost {
    seconds: f64,
    megabytes: f64,
}

fn measure(world: &World) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    world.write(directory.path());
    let files = files(directory.path());
    let bytes: u64 = files.iter().map(|file| fs::metadata(file).expect("a file").len()).sum();
    let jq = cost(Command::new("jq").arg("empty").args(&files));
    let mut program = Command::new(env!("CARGO_BIN_EXE_ecr-fix"));
    let ours = cost(program.args(["diagnose", "-o", "json", "--snapshot"]).arg(directory.path()));
    println!(
        "{:>7} {:>8} {:>9.1} {:>9.2} {:>9.2} {:>9.2} {:>10.0}",
        world.nodes,
        world.pods,
        bytes as f64 / 1e6,
        jq.seconds,
        ours.seconds,
        ours.seconds / jq.seconds,
        ours.megabytes
    );
}

/// Runs a command under GNU `time`; the better of three runs.
fn cost(command: &Command) -> Cost {
    let once = || {
        let report = tempfile::NamedTempFile::new().expect("a temporary file");
        let mut timed = Command::new("/usr/bin/time");
        timed.args(["-f", "%U %S %M", "-o"]).arg(report.path());
        timed.arg(command.get_program()).args(command.get_args());
        let status = timed.stdout(Stdio::null()).status().expect("GNU time runs");
        assert!(status.success(), "{command:?}: {status}");
        let text = fs::read_to_string(report.path()).expect("a report");
        let figures: Vec<f64> = text.split_whitespace().filter_map(|figure| figure.parse().ok()).collect();
        let [user, system, kilobytes] = figures.as_slice() else { panic!("GNU time says {text}") };
        Cost { seconds: user + system, megabytes: kilobytes / 1000.0 }
    };
    let runs = [once(), once(), once()];
    runs.into_iter().min_by(|one, other| one.seconds.total_cmp(&other.seconds)).expect("three runs")
}

fn files(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path()).collect()
}

impl World {
    /// In thousandths of the cluster that the design speaks of.
    fn of_size(scale: usize) -> World {
        let of = |whole: usize| (whole * scale / 1000).max(4);
        World {
            nodes: of(10_000),
            subnets: of(500),
            groups: of(2_000),
            roles: of(3_000),
            repositories: of(1_000),
            pods: of(50_000),
            nodegroups: of(50),
        }
    }

    fn write(&self, directory: &Path) {
        let save = |name: &str, document: Value| save(directory, name, &document);
        let list = |key: &str, count: usize, row: &dyn Fn(usize) -> Value| json!({ key: (0..count).map(row).collect::<Vec<_>>() });
        save("cluster", cluster());
        for group in 0..self.nodegroups {
            save(&format!("nodegroup-{group}"), self.nodegroup(group));
        }
        save(
            "vpcs",
            list(
                "Vpcs",
                1,
                &|_| json!({"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/8", "DhcpOptionsId": "default", "OwnerId": ACCOUNT}),
            ),
        );
        save("dns-support", json!({"VpcId": "vpc-1", "EnableDnsSupport": {"Value": true}}));
        save("dns-hostnames", json!({"VpcId": "vpc-1", "EnableDnsHostnames": {"Value": true}}));
        save(
            "subnets",
            list("Subnets", self.subnets, &|subnet| {
                json!({
            "SubnetId": format!("subnet-{subnet}"), "VpcId": "vpc-1", "AvailabilityZone": zone(subnet), "State": "available",
            "CidrBlock": format!("{}/20", base(subnet)), "OwnerId": ACCOUNT, "MapPublicIpOnLaunch": false})
            }),
        );
        save(
            "route-tables",
            json!({"RouteTables": [{"RouteTableId": "rtb-1", "VpcId": "vpc-1", "Associations": [{"Main": true}], "Routes": [
            {"DestinationCidrBlock": "10.0.0.0/8", "GatewayId": "local", "State": "active"},
            {"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-1", "State": "active"}]},
            {"RouteTableId": "rtb-2", "VpcId": "vpc-1", "Associations": [{"Main": false, "SubnetId": "subnet-0"}], "Routes": [
            {"DestinationCidrBlock": "10.0.0.0/8", "GatewayId": "local", "State": "active"},
            {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1", "State": "active"}]}]}),
        );
        save(
            "gateways",
            json!({"InternetGateways": [{"InternetGatewayId": "igw-1", "Attachments": [{"VpcId": "vpc-1", "State": "available"}]}],
            "NatGateways": [{"NatGatewayId": "nat-1", "VpcId": "vpc-1", "SubnetId": "subnet-0", "State": "available", "ConnectivityType": "public",
                "NatGatewayAddresses": [{"PublicIp": "198.51.100.7", "PrivateIp": "10.0.0.9", "NetworkInterfaceId": "eni-nat"}]}],
            "EgressOnlyInternetGateways": [], "VpcEndpoints": [], "PrefixLists": [], "DhcpOptions": []}),
        );
        let all = |number: u64, egress: bool| json!({"RuleNumber": number, "Egress": egress, "Protocol": "-1", "RuleAction": "allow", "CidrBlock": "0.0.0.0/0"});
        save(
            "acls",
            json!({"NetworkAcls": [{"NetworkAclId": "acl-1", "VpcId": "vpc-1", "IsDefault": true, "Associations": [],
            "Entries": [all(100, true), all(100, false)]}]}),
        );
        save(
            "groups",
            list("SecurityGroups", self.groups, &|group| {
                json!({
            "GroupId": format!("sg-{group}"), "GroupName": format!("group-{group}"), "VpcId": "vpc-1", "OwnerId": ACCOUNT,
            "Description": "nodes of a team", "IpPermissions": [],
            "IpPermissionsEgress": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}], "Ipv6Ranges": [], "PrefixListIds": [], "UserIdGroupPairs": []}]})
            }),
        );
        save("interfaces", list("NetworkInterfaces", self.nodes, &|node| self.interface(node)));
        save("instances", list("Reservations", self.nodes, &|node| self.reservation(node)));
        save("roles", list("RoleDetailList", self.roles, &role));
        save("policies", json!({"Policies": []}));
        save(
            "repositories",
            list("repositories", self.repositories, &|repository| {
                json!({
            "repositoryArn": format!("arn:aws:ecr:{REGION}:{ACCOUNT}:repository/team/app-{repository}"), "registryId": ACCOUNT,
            "repositoryName": format!("team/app-{repository}"), "imageTagMutability": "MUTABLE"})
            }),
        );
        save(
            "images",
            list("imageDetails", self.repositories, &|repository| {
                json!({
            "registryId": ACCOUNT, "repositoryName": format!("team/app-{repository}"), "imageTags": ["v1"],
            "imageDigest": format!("sha256:{repository:064x}"), "imageSizeInBytes": 123_456_789})
            }),
        );
        save(
            "nodes",
            json!({"apiVersion": "v1", "kind": "List", "items": (0..self.nodes).map(|node| self.node(node)).collect::<Vec<_>>()}),
        );
        save(
            "pods",
            json!({"apiVersion": "v1", "kind": "List", "items": (0..self.pods).map(|pod| self.pod(pod)).collect::<Vec<_>>()}),
        );
    }

    fn nodegroup(&self, group: usize) -> Value {
        let subnets: Vec<String> = (0..self.subnets)
            .filter(|subnet| subnet % self.nodegroups == group)
            .map(|subnet| format!("subnet-{subnet}"))
            .collect();
        json!({"nodegroup": {
            "nodegroupName": format!("workers-{group}"), "clusterName": "large", "status": "ACTIVE", "amiType": "AL2023_x86_64_STANDARD",
            "nodegroupArn": format!("arn:aws:eks:{REGION}:{ACCOUNT}:nodegroup/large/workers-{group}/{group}"),
            "subnets": subnets, "nodeRole": role_arn(group)}})
    }

    /// Nodes are spread over the groups of nodes, and in each over its subnets.
    fn place(&self, node: usize) -> (usize, usize) {
        let group = node % self.nodegroups;
        let of_group = (self.subnets - group).div_ceil(self.nodegroups);
        (group, group + self.nodegroups * ((node / self.nodegroups) % of_group))
    }

    fn address(&self, node: usize) -> String {
        let (_, subnet) = self.place(node);
        let first: std::net::Ipv4Addr = base(subnet).parse().expect("an address");
        std::net::Ipv4Addr::from(u32::from(first) + 20 + (node / self.nodegroups) as u32 % 4000).to_string()
    }

    fn interface(&self, node: usize) -> Value {
        let (group, subnet) = self.place(node);
        json!({"NetworkInterfaceId": format!("eni-{node}"), "SubnetId": format!("subnet-{subnet}"), "VpcId": "vpc-1",
            "PrivateIpAddress": self.address(node), "Status": "in-use", "InterfaceType": "interface", "OwnerId": ACCOUNT,
            "Attachment": {"InstanceId": format!("i-{node:017x}"), "DeviceIndex": 0, "Status": "attached"},
            "Groups": [{"GroupId": format!("sg-{}", group % self.groups), "GroupName": "nodes"}]})
    }

    fn reservation(&self, node: usize) -> Value {
        let (group, subnet) = self.place(node);
        json!({"ReservationId": format!("r-{node}"), "OwnerId": ACCOUNT, "Instances": [{
            "InstanceId": format!("i-{node:017x}"), "InstanceType": "m6i.large", "Architecture": "x86_64", "State": {"Code": 16, "Name": "running"},
            "SubnetId": format!("subnet-{subnet}"), "VpcId": "vpc-1", "PrivateIpAddress": self.address(node),
            "IamInstanceProfile": {"Arn": format!("arn:aws:iam::{ACCOUNT}:instance-profile/eks-{group}"), "Id": format!("AIPA{group}")},
            "SecurityGroups": [{"GroupId": format!("sg-{}", group % self.groups)}],
            "NetworkInterfaces": [{"NetworkInterfaceId": format!("eni-{node}")}],
            "Tags": [{"Key": "kubernetes.io/cluster/large", "Value": "owned"}, {"Key": "eks:cluster-name", "Value": "large"},
                {"Key": "eks:nodegroup-name", "Value": format!("workers-{group}")}, {"Key": "Name", "Value": format!("node-{node}")}]}]})
    }

    fn node(&self, node: usize) -> Value {
        let (group, subnet) = self.place(node);
        json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": node_name(node), "labels": {
                "eks.amazonaws.com/nodegroup": format!("workers-{group}"), "kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux",
                "topology.kubernetes.io/zone": zone(subnet), "node.kubernetes.io/instance-type": "m6i.large"}},
            "spec": {"providerID": format!("aws:///{}/i-{node:017x}", zone(subnet))},
            "status": {"addresses": [{"type": "InternalIP", "address": self.address(node)}],
                "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status"}],
                "nodeInfo": {"architecture": "amd64", "containerRuntimeVersion": "containerd://1.7.27", "kubeletVersion": "v1.31.4-eks-aeac579", "operatingSystem": "linux"}}})
    }

    fn pod(&self, pod: usize) -> Value {
        let image =
            format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/team/app-{}:v1", pod % self.repositories);
        json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": format!("app-{pod}"), "namespace": format!("team-{}", pod % 200), "uid": format!("{pod:032x}"),
                "labels": {"app.kubernetes.io/name": format!("app-{}", pod % self.repositories), "pod-template-hash": "6d4cf56db6"},
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("app-{}", pod % self.repositories), "uid": "0"}]},
            "spec": {"nodeName": node_name(pod % self.nodes), "serviceAccountName": "default", "containers": [{
                "name": "app", "image": image, "imagePullPolicy": "IfNotPresent", "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}},
                "volumeMounts": [{"name": "kube-api-access", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": true}]}]},
            "status": {"phase": "Running", "podIP": "10.0.0.1", "containerStatuses": [{
                "name": "app", "image": image, "ready": true, "restartCount": 0, "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}]}})
    }
}

fn cluster() -> Value {
    json!({"cluster": {"name": "large", "arn": format!("arn:aws:eks:{REGION}:{ACCOUNT}:cluster/large"), "version": "1.31", "status": "ACTIVE",
        "resourcesVpcConfig": {"vpcId": "vpc-1", "subnetIds": ["subnet-1", "subnet-2"], "securityGroupIds": [], "clusterSecurityGroupId": "sg-0"}}})
}

fn role(number: usize) -> Value {
    json!({"RoleName": format!("role-{number}"), "RoleId": format!("AROA{number:017}"), "Arn": role_arn(number), "Path": "/",
        "CreateDate": "2026-01-01T00:00:00Z", "InstanceProfileList": [], "Tags": [{"Key": "team", "Value": format!("team-{}", number % 200)}],
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]},
        "AttachedManagedPolicies": [{"PolicyName": "AmazonEC2ContainerRegistryPullOnly",
            "PolicyArn": "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly"}],
        "RolePolicyList": [{"PolicyName": "logs", "PolicyDocument": {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": format!("arn:aws:logs:*:*:log-group:team-{}:*", number % 200)}]}}]})
}

fn role_arn(number: usize) -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/role-{number}")
}

fn node_name(node: usize) -> String {
    format!("ip-10-{}-{}-{}.{REGION}.compute.internal", node >> 16, node >> 8 & 255, node & 255)
}

fn zone(subnet: usize) -> &'static str {
    ZONES.get(subnet % ZONES.len()).copied().unwrap_or_default()
}

fn base(subnet: usize) -> String {
    std::net::Ipv4Addr::from((10_u32 << 24) + ((subnet as u32) << 12)).to_string()
}

/// Indented, as the AWS CLI and `kubectl` print.
fn save(directory: &Path, name: &str, document: &Value) {
    let file = File::create(directory.join(format!("{name}.json"))).expect("a file");
    let mut out = BufWriter::new(file);
    serde_json::to_writer_pretty(&mut out, document).expect("a document");
    out.flush().expect("a full write");
}
