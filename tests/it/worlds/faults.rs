//! Faults, each as something that a person or a program did to a world that worked.

use serde_json::{Value, json};

use super::ground::{
    ACCOUNT, FARGATE_ROLE, Ground, NODE_ROLE, OTHER, REGION, Topology, arn_of, everything, grant, open_policy,
};
use super::row;

/// Something that is broken.
pub(crate) struct Fault {
    pub(crate) name: &'static str,
    pub(crate) cause: &'static str,
    /// Causes that are true beside it.
    pub(crate) also: &'static [&'static str],
    pub(crate) on: &'static [Topology],
    pub(crate) inject: fn(&mut Ground),
    /// What it is about: faults of one part of a world may hide each other.
    pub(crate) part: Part,
}

/// What a fault is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// The identity of nodes, or of pods on Fargate.
    Credentials,
    /// What a role may do.
    Role,
    /// What a registry lets others do.
    Registry,
    /// One image, which no other fault is about.
    Image,
    /// What names lead to.
    Names,
    /// Where packets leave the subnet of the nodes.
    NodeRoute,
    /// Where packets leave the subnet of Fargate.
    FargateRoute,
    /// Beyond both: NAT gateway, endpoints.
    Beyond,
    /// A filter at the nodes.
    NodeFilter,
    /// A filter at Fargate.
    FargateFilter,
    /// What an endpoint lets pass.
    EndpointPolicy,
}

use Part::*;
use Topology::{
    AutoMode, CentralEgress, CrossAccount, CrossRegion, DualStack, FargateOnly, Nat, Private, Public, Spoke,
};

/// What is true of images that nobody shares with a role, and of caches that it may not fill.
const OF_ANOTHER_ROLE: [&str; 4] = [
    "ptc-cross-account",
    "ptc-permission-missing",
    "repo-policy-condition-mismatch",
    "repo-policy-missing-cross-account",
];

/// Everywhere.
const ALL: &[Topology] = &Topology::ALL;
/// Where there are nodes.
const NODES: &[Topology] =
    &[Public, Nat, Private, CrossAccount, CrossRegion, DualStack, Spoke, CentralEgress, AutoMode];
/// Where both leave through the NAT gateway.
const NATTED: &[Topology] = &[Nat, CrossAccount, CrossRegion, CentralEgress, AutoMode];

macro_rules! fault {
    ($name:literal, $part:ident, $on:expr, $inject:expr) => {
        fault!($name => $name, $part, $on, $inject)
    };
    ($name:literal => $cause:literal, $part:ident, $on:expr, $inject:expr) => {
        fault!($name => $cause, [], $part, $on, $inject)
    };
    ($name:literal => $cause:literal, $also:expr, $part:ident, $on:expr, $inject:expr) => {
        Fault { name: $name, cause: $cause, also: &$also, on: $on, inject: $inject, part: $part }
    };
}

/// Why one fault cannot be seen while another is there.
pub(crate) fn hides(hider: &Fault, hidden: &Fault) -> Option<&'static str> {
    let by_way = [
        "session-policy-or-vpce-condition",
        "repo-policy-condition-mismatch",
        "ptc-first-pull-no-internet",
        "vpce-fips-or-dualstack-name",
        "cross-region-private-pull",
    ];
    if hider.part == Names && by_way.contains(&hidden.name) {
        return Some("which way packets take is not known where names lead nowhere");
    }
    if hider.part == Names && hidden.name == "dns-firewall-block" {
        return Some("names that have no answer, or are asked elsewhere, no firewall blocks");
    }
    if touches(hider).is_some() && hider.part == Names && touches(hider) == touches(hidden) {
        return Some("an endpoint that names do not lead to forbids nothing");
    }
    if gone(hider) == Some("vpce-dkr") && hidden.name == "ptc-first-pull-no-internet" {
        return Some("without the endpoint the registry itself is out of reach");
    }
    if gone(hider) == Some("vpce-s3") && hidden.name == "sg-egress-missing-s3-prefix-list" {
        return Some("without the gateway there is no prefix list to let out to");
    }
    if hider.cause == "tgw-egress-broken" && hidden.name == "nat-gateway-broken" {
        return Some("packets do not get so far");
    }
    if hider.name == "nat-gateway-broken" && ["nacl-blocked", "tgw-no-way-back"].contains(&hidden.name) {
        return Some("without an answer nothing of it is dropped");
    }
    let names = matches!(hidden.part, Names | NodeRoute | FargateRoute | Beyond | NodeFilter | FargateFilter);
    if hider.name == "vpc-dns-support-disabled" && names {
        return Some("without answers to names no packet is sent");
    }
    if hider.part == Names
        && matches!(hidden.part, Beyond | NodeRoute | FargateRoute | NodeFilter | FargateFilter)
    {
        return Some("packets go elsewhere, or nowhere");
    }
    if hider.part == Names && hidden.part == Names {
        return Some("a name has one answer");
    }
    if hider.part == NodeFilter && hidden.name == "network-firewall-block" {
        return Some("packets do not get so far");
    }
    let nodes = hider.part == NodeRoute && matches!(hidden.part, Beyond | NodeFilter);
    let fargate = hider.part == FargateRoute && matches!(hidden.part, Beyond | FargateFilter);
    if nodes || fargate {
        return Some("packets do not get so far");
    }
    None
}

/// Whether two faults cannot be in one world: both are about the one default route, or about an endpoint that is not
/// there.
pub(crate) fn contradict(one: &Fault, other: &Fault) -> bool {
    let meet = |one: &Fault, other: &Fault| {
        gone(one).is_some() && (gone(one) == touches(other) || gone(one) == gone(other))
    };
    let one_route = one.part == other.part && matches!(one.part, NodeRoute | FargateRoute);
    one_route || meet(one, other) || meet(other, one)
}

/// The endpoint that a fault takes away.
fn gone(fault: &Fault) -> Option<&'static str> {
    match fault.name {
        "vpce-ecr-api-missing" => Some("vpce-api"),
        "vpce-ecr-dkr-missing" => Some("vpce-dkr"),
        "vpce-s3-missing" | "vpce-s3-interface-only" => Some("vpce-s3"),
        _ => None,
    }
}

/// The endpoint that a fault is about.
fn touches(fault: &Fault) -> Option<&'static str> {
    match fault.name {
        "vpce-not-available" => Some("vpce-api"),
        "vpce-private-dns-disabled"
        | "vpce-policy-denies-ecr"
        | "vpce-fips-or-dualstack-name"
        | "vpce-s3-interface-only"
        | "vpce-sg-blocks-443" => Some("vpce-dkr"),
        "s3-gateway-route-table-missing" | "vpce-policy-denies-s3-layer-bucket" => Some("vpce-s3"),
        _ => None,
    }
}

fn replace_default_route(ground: &mut Ground, table: &str, route: Value) {
    drop_default_route(ground, table);
    row(ground.list("RouteTables"), "RouteTableId", table)["Routes"].as_array_mut().unwrap().push(route);
}

fn drop_default_route(ground: &mut Ground, table: &str) {
    let routes = row(ground.list("RouteTables"), "RouteTableId", table)["Routes"].as_array_mut().unwrap();
    routes.retain(|route| route["DestinationCidrBlock"] != "0.0.0.0/0");
}

fn lacks_policies(ground: &mut Ground, role: &str) {
    ground.role(role)["AttachedManagedPolicies"] = json!([]);
}

fn inline(ground: &mut Ground, role: &str, statement: Value) {
    let document = json!({ "Version": "2012-10-17", "Statement": [statement] });
    ground.role(role)["RolePolicyList"] = json!([{ "PolicyName": "inline", "PolicyDocument": document }]);
}

/// A repository that is known not to be there.
fn no_repository(ground: &mut Ground, account: &str, region: &str, name: &str) {
    let place = format!("{account}/{region}/{name}");
    ground.not_found("ecr:DescribeRepositories", &place);
    ground.not_found("ecr:GetRepositoryPolicy", &place);
    ground.not_found("ecr:DescribeImages", &format!("{place}:v1"));
    ground.registry(account, region);
    ground.pull(account, region, &format!("{name}:v1"));
}

/// A repository without the image that is pulled.
fn no_image(ground: &mut Ground, account: &str, name: &str) {
    ground.repository(account, REGION, name);
    ground.not_found("ecr:DescribeImages", &format!("{account}/{REGION}/{name}:v1"));
    ground.pull(account, REGION, &format!("{name}:v1"));
}

fn cache_rule(ground: &mut Ground, account: &str, prefix: &str, upstream: &str) {
    ground.add(
        "pullThroughCacheRules",
        json!({ "ecrRepositoryPrefix": prefix, "upstreamRegistryUrl": upstream,
        "registryId": account, "region": REGION }),
    );
}

fn index(ground: &mut Ground, name: &str, architecture: &str) {
    ground.image(ACCOUNT, REGION, name, "v1");
    let media_type = "application/vnd.oci.image.index.v1+json";
    let detail = row(ground.list("imageDetails"), "repositoryName", name);
    detail["imageManifestMediaType"] = json!(media_type);
    let digest = detail["imageDigest"].clone();
    let manifest = json!({ "schemaVersion": 2, "manifests": [
        { "platform": { "os": "linux", "architecture": architecture } },
        { "platform": { "os": "unknown", "architecture": "unknown" } }] });
    ground.add(
        "images",
        json!({ "registryId": ACCOUNT, "region": REGION, "repositoryName": name,
        "imageId": { "imageDigest": digest, "imageTag": "v1" }, "imageManifest": manifest.to_string(),
        "imageManifestMediaType": media_type }),
    );
}

/// An image in a repository that a key encrypts.
fn encrypted(ground: &mut Ground, name: &str, state: &str) {
    let key = format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/{name}");
    ground.image(ACCOUNT, REGION, name, "v1");
    row(ground.list("repositories"), "repositoryName", name)["encryptionConfiguration"] =
        json!({ "encryptionType": "KMS", "kmsKey": key });
    *ground.file(&format!("key-{name}")) =
        json!({ "KeyMetadata": { "Arn": key, "KeyId": name, "KeyState": state } });
}

/// An image of the other account, with a policy of its repository.
fn shared(ground: &mut Ground, name: &str, document: Option<Value>) {
    ground.image(OTHER, REGION, name, "v1");
    ground.policy(OTHER, REGION, Some(name), document);
}

fn both() -> Value {
    json!({ "AWS": [NODE_ROLE, FARGATE_ROLE] })
}

/// The organization of the account: the management account, a unit, the account; and what is attached to the unit.
fn organization(ground: &mut Ground, kind: &str, statement: Value) {
    let (unit, root) = ("ou-ab12-cdefghij", "r-ab12");
    *ground.file("Organization") =
        json!({ "Organization": { "Id": "o-1", "MasterAccountId": "999988887777" } });
    for (child, parent) in [(ACCOUNT, unit), (unit, root)] {
        *ground.file(&format!("Parents-{child}")) =
            json!({ "ChildId": child, "Parents": [{ "Id": parent, "Type": "X" }] });
    }
    let summary = |id: &str| json!({ "Id": id, "Arn": format!("arn:aws:organizations::999988887777:policy/o-1/x/{id}"), "Name": id, "Type": kind });
    for (target, policies) in [
        (root, vec![summary("p-full")]),
        (unit, vec![summary("p-full"), summary("p-deny")]),
        (ACCOUNT, vec![summary("p-full")]),
    ] {
        *ground.file(&format!("policies-of-{kind}-{target}")) =
            json!({ "TargetId": target, "Filter": kind, "Policies": policies });
    }
    for (id, statement) in [
        ("p-full", json!({ "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*" })),
        ("p-deny", statement),
    ] {
        let mut statement = statement;
        if kind == "SERVICE_CONTROL_POLICY" {
            statement.as_object_mut().unwrap().remove("Principal");
        }
        let content = json!({ "Version": "2012-10-17", "Statement": [statement] });
        *ground.file(&format!("policy-{id}")) =
            json!({ "Policy": { "PolicySummary": summary(id), "Content": content.to_string() } });
    }
}

fn endpoint<'g>(ground: &'g mut Ground, id: &str) -> &'g mut Value {
    row(ground.list("VpcEndpoints"), "VpcEndpointId", id)
}

fn remove_endpoint(ground: &mut Ground, id: &str) {
    ground.remove("VpcEndpoints", "VpcEndpointId", id);
    for table in ["rtb-a", "rtb-f"] {
        let routes = row(ground.list("RouteTables"), "RouteTableId", table)["Routes"].as_array_mut().unwrap();
        routes.retain(|route| route["GatewayId"] != id);
    }
}

/// An image with its manifest, whose first layer is of this kind.
fn layered(ground: &mut Ground, name: &str, kind: &str) {
    ground.image(ACCOUNT, REGION, name, "v1");
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    let digest = row(ground.list("imageDetails"), "repositoryName", name)["imageDigest"].clone();
    let manifest = json!({ "schemaVersion": 2, "layers": [
        { "mediaType": kind, "digest": "sha256:aa" },
        { "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": "sha256:bb" }] });
    ground.add(
        "images",
        json!({ "registryId": ACCOUNT, "region": REGION, "repositoryName": name,
        "imageId": { "imageDigest": digest, "imageTag": "v1" }, "imageManifest": manifest.to_string(),
        "imageManifestMediaType": media_type }),
    );
}

const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const FOREIGN_LAYER: &str = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";

/// What ECR says of the second layer of such an image.
fn second_layer(ground: &mut Ground, name: &str, availability: &str) {
    *ground.file(&format!("layers-{name}")) = json!({ "registryId": ACCOUNT, "region": REGION, "repositoryName": name,
        "layers": [{ "layerDigest": "sha256:bb", "layerAvailability": availability }], "failures": [] });
}

fn on_windows(ground: &mut Ground) {
    ground.kubelet()["status"]["nodeInfo"] = json!({ "operatingSystem": "windows", "architecture": "amd64" });
}

/// A node on premises, whose role any of these services may assume.
fn hybrid(ground: &mut Ground, service: &str, policies: Value) {
    let role = format!("arn:aws:iam::{ACCOUNT}:role/hybrid");
    ground.kubernetes(
        "nodes",
        json!({ "kind": "Node",
        "metadata": { "name": "mi-1", "labels": { "eks.amazonaws.com/compute-type": "hybrid" } },
        "spec": { "providerID": "eks-hybrid:///eu-west-1/demo/mi-1" },
        "status": { "conditions": [{ "type": "Ready", "status": "True" }] } }),
    );
    *ground.file("accessEntry-hybrid") =
        json!({ "accessEntry": { "clusterName": "demo", "principalArn": role, "type": "HYBRID_LINUX" } });
    let trust = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": { "Service": service } }] });
    ground.add(
        "RoleDetailList",
        json!({ "RoleName": "hybrid", "RoleId": "AROAHYBRID", "Arn": role, "Path": "/",
        "AssumeRolePolicyDocument": trust, "RolePolicyList": [], "AttachedManagedPolicies": policies }),
    );
}

fn pull_only() -> Value {
    let name = "AmazonEC2ContainerRegistryPullOnly";
    json!([{ "PolicyName": name, "PolicyArn": format!("arn:aws:iam::aws:policy/{name}") }])
}

/// A pod that waits for an image of its own, with a role for pulls that a service account of this name may have.
fn own_role(ground: &mut Ground, trusted: &str) {
    let (issuer, role) =
        ("oidc.eks.eu-west-1.amazonaws.com/id/X", format!("arn:aws:iam::{ACCOUNT}:role/puller"));
    ground.file("cluster")["cluster"]["identity"] =
        json!({ "oidc": { "issuer": format!("https://{issuer}") } });
    ground.image(ACCOUNT, REGION, "own", "v1");
    let image = ground.images.last().unwrap().clone();
    ground.kubelet();
    ground.kubernetes(
        "pods",
        json!({ "kind": "ServiceAccount", "metadata": { "name": "app", "namespace": "shop",
        "annotations": { "eks.amazonaws.com/ecr-role-arn": role } } }),
    );
    let waits = json!({ "reason": "ErrImagePull", "message": "no basic auth credentials" });
    let state = if trusted == "app" { json!({ "running": {} }) } else { json!({ "waiting": waits }) };
    ground.kubernetes(
        "pods",
        json!({ "kind": "Pod", "metadata": { "name": "web", "namespace": "shop" },
        "spec": { "nodeName": "ip-10-0-1-10", "serviceAccountName": "app", "containers": [{ "name": "app", "image": image }] },
        "status": { "containerStatuses": [{ "name": "app", "state": state }] } }),
    );
    let condition = json!({ "StringEquals": { (format!("{issuer}:sub")): format!("system:serviceaccount:shop:{trusted}") } });
    let trust = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
        "Principal": { "Federated": format!("arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer}") }, "Condition": condition }] });
    ground.add(
        "RoleDetailList",
        json!({ "RoleName": "puller", "RoleId": "AROAPULLER", "Arn": role, "Path": "/",
        "AssumeRolePolicyDocument": trust, "RolePolicyList": [], "AttachedManagedPolicies": pull_only() }),
    );
}

/// A DNS firewall that answers only for these domains.
fn dns_firewall(ground: &mut Ground, allowed: &[&str]) {
    let group = "rslvr-frg-1";
    ground.add(
        "FirewallRuleGroupAssociations",
        json!({ "Id": "rslvr-frgassoc-1", "FirewallRuleGroupId": group, "VpcId": "vpc-1", "Priority": 101 }),
    );
    for (priority, list, action) in [(1, "rslvr-fdl-ok", "ALLOW"), (2, "rslvr-fdl-all", "BLOCK")] {
        ground.add(
            "FirewallRules",
            json!({ "FirewallRuleGroupId": group, "FirewallDomainListId": list,
            "Priority": priority, "Action": action, "FirewallDomainRedirectionAction": "TRUST_REDIRECTION_DOMAIN" }),
        );
    }
    *ground.file("domains-ok") = json!({ "FirewallDomainListId": "rslvr-fdl-ok", "Domains": allowed });
    *ground.file("domains-all") = json!({ "FirewallDomainListId": "rslvr-fdl-all", "Domains": ["*"] });
}

/// A firewall on the way of the nodes that lets only these domains pass.
fn network_firewall(ground: &mut Ground, allowed: &[&str]) {
    let route = json!({ "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "vpce-fw", "State": "active" });
    replace_default_route(ground, "rtb-a", route);
    ground.add(
        "VpcEndpoints",
        json!({ "VpcEndpointId": "vpce-fw", "VpcEndpointType": "GatewayLoadBalancer", "VpcId": "vpc-1",
        "State": "available", "ServiceName": "com.amazonaws.vpce.eu-west-1.vpce-svc-1" }),
    );
    let arn = |rest: &str| format!("arn:aws:network-firewall:{REGION}:{ACCOUNT}:{rest}");
    *ground.file("firewall") = json!({ "Firewall": { "FirewallArn": arn("firewall/fw"), "FirewallPolicyArn": arn("firewall-policy/p"),
        "VpcId": "vpc-1" }, "FirewallStatus": { "SyncStates": { "eu-west-1a": { "Attachment": { "EndpointId": "vpce-fw" } } } } });
    *ground.file("firewall-policy") = json!({ "FirewallPolicyResponse": { "FirewallPolicyArn": arn("firewall-policy/p") },
        "FirewallPolicy": { "StatelessDefaultActions": ["aws:forward_to_sfe"],
            "StatefulRuleGroupReferences": [{ "ResourceArn": arn("stateful-rulegroup/web") }] } });
    *ground.file("rule-group") = json!({ "RuleGroupResponse": { "RuleGroupArn": arn("stateful-rulegroup/web") },
        "RuleGroup": { "RulesSource": { "RulesSourceList": { "Targets": allowed, "TargetTypes": ["TLS_SNI"],
            "GeneratedRulesType": "ALLOWLIST" } } } });
}

pub(crate) static FAULTS: &[Fault] = &[
    // Credentials.
    fault!("no-profile" => "instance-profile-missing", Credentials, NODES, |ground| {
        ground.node().as_object_mut().unwrap().remove("IamInstanceProfile");
    }),
    fault!("imds-unreachable", Credentials, NODES, |ground| {
        ground.node()["MetadataOptions"]["HttpEndpoint"] = json!("disabled");
    }),
    fault!("fargate-exec-role-trust", Credentials, ALL, |ground| {
        ground.role("fargate")["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["Service"] =
            json!("ec2.amazonaws.com");
    }),
    fault!("hybrid-node-credentials" => "hybrid-node-credentials", OF_ANOTHER_ROLE, Credentials, &[Nat, Private], |ground| {
        hybrid(ground, "ssm.amazonaws.com", json!([]));
    }),
    fault!("hybrid-trust" => "hybrid-node-credentials", OF_ANOTHER_ROLE, Credentials, &[CrossRegion], |ground| {
        hybrid(ground, "ec2.amazonaws.com", pull_only());
    }),
    fault!("sa-credential-role-denied", Credentials, &[Nat, Private, AutoMode], |ground| own_role(
        ground, "other"
    )),
    // Roles.
    fault!("node-role-missing-ecr-policy", Role, NODES, |ground| lacks_policies(ground, "node")),
    fault!("fargate-exec-role-missing-policy", Role, ALL, |ground| lacks_policies(ground, "fargate")),
    fault!("permissions-boundary-blocks", Role, ALL, |ground| {
        ground.role("fargate")["PermissionsBoundary"] =
            json!({ "PermissionsBoundaryArn": format!("arn:aws:iam::{ACCOUNT}:policy/guard") });
        let document = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "s3:*", "Resource": "*" }] });
        ground.add("Policies", json!({ "PolicyName": "guard", "Arn": format!("arn:aws:iam::{ACCOUNT}:policy/guard"), "DefaultVersionId": "v1",
            "PolicyVersionList": [{ "VersionId": "v1", "IsDefaultVersion": true, "Document": document }] }));
    }),
    fault!("identity-policy-explicit-deny", Role, NODES, |ground| {
        inline(ground, "node", json!({ "Effect": "Deny", "Action": "ecr:BatchGetImage", "Resource": "*" }));
    }),
    fault!("session-policy-or-vpce-condition", Role, &[Nat, Private, CrossRegion], |ground| {
        let condition = json!({ "StringNotEqualsIfExists": { "aws:SourceVpce": "vpce-elsewhere" } });
        let statement = json!({ "Effect": "Deny", "Action": "ecr:GetDownloadUrlForLayer", "Resource": "*", "Condition": condition });
        inline(ground, "fargate", statement);
    }),
    fault!("scp-deny", Role, ALL, |ground| {
        organization(
            ground,
            "SERVICE_CONTROL_POLICY",
            json!({ "Effect": "Deny", "Action": "ecr:GetDownloadUrlForLayer", "Resource": "*" }),
        );
    }),
    // Registries.
    fault!("rcp-deny", Registry, &[Nat, Private, FargateOnly, Public], |ground| {
        organization(
            ground,
            "RESOURCE_CONTROL_POLICY",
            json!({ "Effect": "Deny", "Principal": "*", "Action": "ecr:BatchGetImage", "Resource": "*" }),
        );
    }),
    fault!(
        "repo-policy-missing-cross-account",
        Registry,
        &[CrossAccount, Nat, Private, AutoMode],
        |ground| shared(ground, "ungranted", None)
    ),
    fault!("repo-policy-explicit-deny", Registry, &[CrossAccount, Nat], |ground| {
        let mut document = grant(both());
        document["Statement"]
            .as_array_mut()
            .unwrap()
            .push(json!({ "Effect": "Deny", "Principal": "*", "Action": "ecr:BatchGetImage" }));
        shared(ground, "denied", Some(document));
    }),
    fault!("repo-policy-stale-principal", Registry, &[CrossAccount, Nat], |ground| {
        shared(ground, "stale", Some(grant(json!({ "AWS": ["AROAOLDNODE", FARGATE_ROLE] }))));
    }),
    fault!("repo-policy-condition-mismatch", Registry, &[CrossAccount, Nat, Private], |ground| {
        let mut document = grant(both());
        document["Statement"][0]["Condition"] =
            json!({ "StringEquals": { "aws:SourceVpce": "vpce-elsewhere" } });
        shared(ground, "conditional", Some(document));
    }),
    fault!("repo-policy-principal-condition" => "repo-policy-condition-mismatch", Registry, &[CrossAccount], |ground| {
        let mut document = grant(json!("*"));
        document["Statement"][0]["Condition"] = json!({ "ArnLike": { "aws:PrincipalArn": "arn:aws:iam::*:role/other-*" } });
        shared(ground, "conditional-too", Some(document));
    }),
    fault!("registry-policy-deny", Registry, &[CrossAccount], |ground| {
        let document = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Deny", "Principal": { "AWS": NODE_ROLE },
            "Action": "ecr:BatchGetImage", "Resource": "*" }] });
        ground.policy(OTHER, REGION, None, Some(document));
    }),
    // Images.
    fault!("repository-not-found", Image, &[Nat, Private, FargateOnly], |ground| no_repository(
        ground, ACCOUNT, REGION, "lost"
    )),
    fault!("image-tag-not-found", Image, &[Nat, Private, FargateOnly, AutoMode, CentralEgress], |ground| {
        no_image(ground, ACCOUNT, "untagged")
    }),
    fault!("image-digest-not-found", Image, &[Nat], |ground| {
        let digest = "sha256:2222222222222222222222222222222222222222222222222222222222222222";
        ground.repository(ACCOUNT, REGION, "rebuilt");
        ground.not_found("ecr:DescribeImages", &format!("{ACCOUNT}/{REGION}/rebuilt@{digest}"));
        ground.pull(ACCOUNT, REGION, &format!("rebuilt@{digest}"));
    }),
    fault!("image-archived", Image, &[Nat], |ground| {
        ground.image(ACCOUNT, REGION, "old", "v1");
        row(ground.list("imageDetails"), "repositoryName", "old")["imageStatus"] = json!("ARCHIVED");
    }),
    fault!("image-deleted-by-lifecycle", Image, &[Nat, Private], |ground| {
        no_image(ground, ACCOUNT, "expired");
        let text = json!({ "rules": [{ "rulePriority": 1, "selection": { "tagStatus": "any", "countType": "imageCountMoreThan",
            "countNumber": 3 }, "action": { "type": "expire" } }] });
        *ground.file("lifecycle-expired") = json!({ "registryId": ACCOUNT, "region": REGION, "repositoryName": "expired",
            "lifecyclePolicyText": text.to_string() });
    }),
    fault!("wrong-account-in-image", Image, &[Nat, CrossAccount], |ground| {
        no_repository(ground, OTHER, REGION, "moved");
        ground.repository(ACCOUNT, REGION, "moved");
        cache_rule(ground, OTHER, "unrelated", "quay.io");
    }),
    fault!("wrong-registry-region", Image, &[Nat, CrossRegion], |ground| {
        no_repository(ground, ACCOUNT, "us-east-1", "regional");
        ground.repository(ACCOUNT, REGION, "regional");
    }),
    fault!("platform-mismatch", Image, &[Nat, Private, FargateOnly, Public], |ground| index(
        ground, "graviton", "arm64"
    )),
    fault!("manifest-type-unsupported", Image, &[Nat], |ground| {
        ground.image(ACCOUNT, REGION, "chart", "v1");
        row(ground.list("imageDetails"), "repositoryName", "chart")["artifactMediaType"] =
            json!("application/vnd.cncf.helm.config.v1+json");
    }),
    fault!("kms-key-unavailable", Image, &[Nat, AutoMode], |ground| encrypted(
        ground,
        "sealed",
        "PendingDeletion"
    )),
    fault!("layer-blob-missing", Image, &[Nat, Private, FargateOnly], |ground| {
        layered(ground, "torn", LAYER);
        second_layer(ground, "torn", "UNAVAILABLE");
    }),
    fault!("windows-foreign-layers", Image, &[Private], |ground| {
        on_windows(ground);
        layered(ground, "win", FOREIGN_LAYER);
    }),
    fault!("node-disk-full", Image, NODES, |ground| {
        ground.kubelet()["status"]["conditions"] = json!([{ "type": "DiskPressure", "status": "True" }]);
    }),
    fault!("disk-pressure-taint" => "node-disk-full", Image, &[Nat], |ground| {
        ground.kubelet()["spec"]["taints"] =
            json!([{ "key": "node.kubernetes.io/disk-pressure", "effect": "NoSchedule" }]);
    }),
    // Pull-through caches.
    fault!("ptc-upstream-auth-failed" => "ptc-upstream-auth-failed", ["ptc-permission-missing"], Image, &[Nat], |ground| {
        cache_rule(ground, ACCOUNT, "login", "registry-1.docker.io");
        *ground.file("validated") = json!({ "registryId": ACCOUNT, "region": REGION, "ecrRepositoryPrefix": "login",
            "upstreamRegistryUrl": "registry-1.docker.io", "isValid": false, "failure": "UpstreamAccessDenied" });
        no_repository(ground, ACCOUNT, REGION, "login/team/tool");
    }),
    fault!("ptc-rule-missing", Image, &[Nat, Private, FargateOnly], |ground| no_repository(
        ground,
        ACCOUNT,
        REGION,
        "quay.io/team/tool"
    )),
    fault!("ptc-permission-missing", Image, &[Nat, FargateOnly], |ground| {
        cache_rule(ground, ACCOUNT, "mirror", "public.ecr.aws");
        no_repository(ground, ACCOUNT, REGION, "mirror/nginx/nginx");
    }),
    fault!("ptc-import-missing" => "ptc-permission-missing", Image, &[Nat, Private], |ground| {
        cache_rule(ground, ACCOUNT, "import", &format!("{OTHER}.dkr.ecr.{REGION}.amazonaws.com"));
        no_image(ground, ACCOUNT, "import/nginx");
    }),
    fault!("ptc-dockerhub-library-prefix" => "ptc-dockerhub-library-prefix", ["ptc-permission-missing"], Image, &[Nat], |ground| {
        cache_rule(ground, ACCOUNT, "hub", "registry-1.docker.io");
        no_repository(ground, ACCOUNT, REGION, "hub/nginx");
    }),
    fault!("ptc-cross-account" => "ptc-cross-account", ["ptc-permission-missing"], Image, &[Nat, CrossAccount], |ground| {
        cache_rule(ground, OTHER, "cache", "quay.io");
        no_repository(ground, OTHER, REGION, "cache/team/tool");
    }),
    fault!("ptc-first-pull-no-internet" => "ptc-first-pull-no-internet", ["ptc-permission-missing"], Image, &[Private], |ground| {
        cache_rule(ground, ACCOUNT, "first", "quay.io");
        no_repository(ground, ACCOUNT, REGION, "first/team/tool");
    }),
    // Ways to the internet.
    fault!("no-route-to-internet", NodeRoute, NATTED, |ground| drop_default_route(ground, "rtb-a")),
    fault!(
        "fargate-subnet-no-egress",
        FargateRoute,
        &[Nat, CrossAccount, FargateOnly, Public, AutoMode],
        |ground| { drop_default_route(ground, "rtb-f") }
    ),
    fault!(
        "nat-gateway-broken",
        Beyond,
        &[Nat, CrossAccount, FargateOnly, DualStack, CentralEgress, AutoMode],
        |ground| {
            ground.list("NatGateways")[0]["State"] = json!("failed");
        }
    ),
    fault!("igw-no-public-ip", NodeRoute, &[Public], |ground| {
        row(ground.list("NetworkInterfaces"), "NetworkInterfaceId", "eni-node")
            .as_object_mut()
            .unwrap()
            .remove("Association");
        ground.node().as_object_mut().unwrap().remove("PublicIpAddress");
        ground.node()["NetworkInterfaces"][0].as_object_mut().unwrap().remove("Association");
    }),
    fault!("network-firewall-block", NodeRoute, NATTED, |ground| {
        network_firewall(ground, &[".ecr.eu-west-1.amazonaws.com", ".ecr.us-east-1.amazonaws.com"]);
    }),
    fault!("tgw-egress-broken", NodeRoute, &[Nat], |ground| {
        let gone =
            json!({ "DestinationCidrBlock": "0.0.0.0/0", "TransitGatewayId": "tgw-1", "State": "blackhole" });
        replace_default_route(ground, "rtb-a", gone);
    }),
    fault!("tgw-no-route" => "tgw-egress-broken", Beyond, &[CentralEgress], |ground| {
        ground.list("TransitGatewayStaticRoutes")[0]["Routes"] = json!([]);
    }),
    fault!("tgw-blackhole" => "tgw-egress-broken", Beyond, &[CentralEgress], |ground| {
        ground.list("TransitGatewayStaticRoutes")[0]["Routes"] =
            json!([{ "DestinationCidrBlock": "0.0.0.0/0", "State": "blackhole", "Type": "static" }]);
    }),
    fault!("tgw-not-attached" => "tgw-egress-broken", Beyond, &[CentralEgress], |ground| {
        ground.remove("TransitGatewayVpcAttachments", "VpcId", "vpc-1");
        ground.remove("TransitGatewayAttachments", "ResourceId", "vpc-1");
    }),
    fault!("tgw-no-way-back" => "tgw-egress-broken", Beyond, &[CentralEgress], |ground| {
        let routes = row(ground.list("RouteTables"), "RouteTableId", "rtb-nat")["Routes"].as_array_mut().unwrap();
        routes.retain(|route| route["TransitGatewayId"].is_null());
    }),
    fault!("egress-only-igw-missing" => "egress-only-igw-missing", ["no-route-to-internet", "ipv6-only-egress"], NodeRoute, &[DualStack], |ground| {
        drop_default_route(ground, "rtb-a");
        let routes = row(ground.list("RouteTables"), "RouteTableId", "rtb-a")["Routes"].as_array_mut().unwrap();
        routes.retain(|route| route["DestinationIpv6CidrBlock"] != "::/0");
        // Layers come over IPv4 always: that way stays open.
        routes.push(json!({ "DestinationPrefixListId": "pl-s3", "NatGatewayId": "nat-1", "State": "active" }));
    }),
    fault!("ipv6-only-egress", NodeRoute, &[DualStack], |ground| drop_default_route(ground, "rtb-a")),
    // Filters.
    fault!(
        "sg-egress-blocked" => "sg-egress-blocked",
        // Where only endpoints mend the way out, the list of S3 is needed with them.
        ["sg-egress-missing-s3-prefix-list"],
        NodeFilter,
        &[Public, Nat, CrossAccount, CrossRegion, CentralEgress, AutoMode],
        |ground| {
            row(ground.list("SecurityGroups"), "GroupId", "sg-node")["IpPermissionsEgress"][0]["IpRanges"] =
                json!([{ "CidrIp": "10.0.0.0/16" }]);
        }
    ),
    fault!(
        "fargate-sg-blocks",
        FargateFilter,
        &[Public, Nat, FargateOnly, CrossAccount, CentralEgress],
        |ground| {
            row(ground.list("SecurityGroups"), "GroupId", "sg-cluster")["IpPermissionsEgress"][0]["IpRanges"] =
                json!([{ "CidrIp": "10.0.0.0/16" }]);
        }
    ),
    fault!("nacl-blocked", NodeFilter, &[Public, Nat, Private, CrossAccount, Spoke, AutoMode], |ground| {
        let entries =
            row(ground.list("NetworkAcls"), "NetworkAclId", "acl-a")["Entries"].as_array_mut().unwrap();
        entries.retain(|entry| entry["Egress"] == true);
        entries.push(json!({ "Egress": false, "CidrBlock": "0.0.0.0/0", "Protocol": "6", "RuleAction": "allow", "RuleNumber": 100,
            "PortRange": { "From": 443, "To": 443 } }));
    }),
    fault!("sg-egress-missing-s3-prefix-list", NodeFilter, &[Private], |ground| {
        row(ground.list("SecurityGroups"), "GroupId", "sg-node")["IpPermissionsEgress"][0]["IpRanges"] =
            json!([{ "CidrIp": "10.0.0.0/8" }]);
    }),
    // Names.
    fault!("dns-server-unreachable", Names, &[Nat, CrossAccount, AutoMode], |ground| {
        ground.list("DhcpOptions")[0]["DhcpConfigurations"][0]["Values"][0]["Value"] = json!("10.0.2.53");
        let egress = json!([{ "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{ "CidrIp": "0.0.0.0/0" }] }]);
        row(ground.list("SecurityGroups"), "GroupId", "sg-node")["IpPermissionsEgress"] = egress;
    }),
    fault!("vpc-dns-support-disabled", Names, ALL, |ground| {
        ground.file("EnableDnsSupport")["EnableDnsSupport"]["Value"] = json!(false);
    }),
    fault!("private-hosted-zone-shadow", Names, &[Nat, CrossAccount, Public, FargateOnly], |ground| {
        ground.zone("ZSHADOW", &format!("ecr.{REGION}.amazonaws.com."), &[]);
    }),
    fault!("private-hosted-zone-misleads" => "private-hosted-zone-shadow", Names, &[Nat], |ground| {
        ground.zone("ZGONE", &format!("api.ecr.{REGION}.amazonaws.com."), &[(&format!("api.ecr.{REGION}.amazonaws.com."), "10.0.2.99")]);
    }),
    fault!(
        "vpce-private-dns-disabled",
        Names,
        &[Private],
        |ground| endpoint(ground, "vpce-dkr")["PrivateDnsEnabled"] = json!(false)
    ),
    fault!("dns-firewall-block", Image, ALL, |ground| {
        dns_firewall(ground, &["*.ecr.eu-west-1.amazonaws.com", "*.on.aws", "*.api.aws"]);
    }),
    fault!("vpce-shared-dns-missing", Names, &[Spoke], |ground| {
        ground.file("HostedZoneSummaries")["HostedZoneSummaries"] = json!([]);
    }),
    fault!("vpce-fips-or-dualstack-name", Image, &[Private], |ground| {
        ground.images.push(format!("{ACCOUNT}.dkr-ecr.{REGION}.on.aws/app:v1"));
    }),
    // Endpoints.
    fault!("vpce-ecr-api-missing", Beyond, &[Private], |ground| remove_endpoint(ground, "vpce-api")),
    fault!("vpce-ecr-dkr-missing", Beyond, &[Private], |ground| remove_endpoint(ground, "vpce-dkr")),
    fault!("vpce-s3-missing", Beyond, &[Private, Spoke], |ground| remove_endpoint(ground, "vpce-s3")),
    fault!("vpce-not-available", Beyond, &[Private], |ground| endpoint(ground, "vpce-api")["State"] =
        json!("pendingAcceptance")),
    fault!("s3-gateway-route-table-missing", NodeRoute, &[Private], |ground| {
        endpoint(ground, "vpce-s3")["RouteTableIds"] = json!(["rtb-f"]);
        let routes =
            row(ground.list("RouteTables"), "RouteTableId", "rtb-a")["Routes"].as_array_mut().unwrap();
        routes.retain(|route| route["GatewayId"] != "vpce-s3");
    }),
    fault!("vpce-s3-interface-only", Beyond, &[Private], |ground| {
        remove_endpoint(ground, "vpce-s3");
        let mut only = endpoint(ground, "vpce-dkr").clone();
        only["VpcEndpointId"] = json!("vpce-s3i");
        only["ServiceName"] = json!(format!("com.amazonaws.{REGION}.s3"));
        only["PrivateDnsEnabled"] = json!(false);
        only["NetworkInterfaceIds"] = json!([]);
        ground.add("VpcEndpoints", only);
    }),
    fault!("vpce-sg-blocks-443", Beyond, &[Private, Spoke], |ground| {
        row(ground.list("SecurityGroups"), "GroupId", "sg-dkr")["IpPermissions"] = json!([]);
    }),
    fault!("cross-region-private-pull", Image, &[Private], |ground| ground.image(
        ACCOUNT,
        "us-east-1",
        "far",
        "v1"
    )),
    fault!("vpce-policy-denies-ecr", EndpointPolicy, &[Private], |ground| {
        let mut policy = open_policy();
        policy["Statement"][0]["Action"] = json!("ecr:GetAuthorizationToken");
        endpoint(ground, "vpce-dkr")["PolicyDocument"] = json!(policy.to_string());
    }),
    fault!("vpce-policy-denies-s3-layer-bucket", EndpointPolicy, &[Private], |ground| {
        let mut policy = open_policy();
        policy["Statement"][0]["Resource"] = json!("arn:aws:s3:::mine/*");
        endpoint(ground, "vpce-s3")["PolicyDocument"] = json!(policy.to_string());
    }),
];

/// A change that looks like a fault.
type LookAlike = (Topology, &'static str, fn(&mut Ground));

pub(crate) static LOOK_ALIKES: &[LookAlike] = &[
    (Nat, "a repository policy with Resource is accepted", |ground| {
        let mut document = grant(both());
        document["Statement"][0]["Resource"] = json!("*");
        shared(ground, "old", Some(document));
    }),
    (Nat, "a grant to the unique id of a role that still has it", |ground| {
        shared(ground, "by-id", Some(grant(json!({ "AWS": ["AROANODE", FARGATE_ROLE] }))));
    }),
    (Private, "a condition on the endpoint that packets take", |ground| {
        let mut document = grant(both());
        document["Statement"][0]["Condition"] = json!({ "StringEquals": { "aws:SourceVpce": "vpce-dkr" } });
        shared(ground, "perimeter", Some(document));
    }),
    (Nat, "a deny of endpoints elsewhere, where no endpoint is", |ground| {
        let condition = json!({ "StringEquals": { "aws:SourceVpce": "vpce-elsewhere" } });
        inline(
            ground,
            "node",
            json!({ "Effect": "Deny", "Action": "ecr:*", "Resource": "*", "Condition": condition }),
        );
    }),
    (Nat, "an organization that closes another region", |ground| {
        let condition = json!({ "StringNotEquals": { "aws:RequestedRegion": [REGION] } });
        organization(
            ground,
            "SERVICE_CONTROL_POLICY",
            json!({ "Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition }),
        );
    }),
    (Nat, "an index with the platform of the nodes", |ground| index(ground, "multi", "amd64")),
    (Nat, "a first pull that may create and import", |ground| {
        cache_rule(ground, ACCOUNT, "quay", "quay.io");
        no_repository(ground, ACCOUNT, REGION, "quay/team/tool");
        let resource = arn_of(ACCOUNT, REGION, "quay/*");
        for role in ["node", "fargate"] {
            let calls = json!(["ecr:CreateRepository", "ecr:BatchImportUpstreamImage"]);
            inline(ground, role, json!({ "Effect": "Allow", "Action": calls, "Resource": resource }));
        }
    }),
    (Nat, "a first pull that the registry policy allows", |ground| {
        cache_rule(ground, ACCOUNT, "quay", "quay.io");
        no_repository(ground, ACCOUNT, REGION, "quay/team/tool");
        let calls = json!(["ecr:CreateRepository", "ecr:BatchImportUpstreamImage"]);
        let statement = json!({ "Effect": "Allow", "Principal": both(), "Action": calls, "Resource": arn_of(ACCOUNT, REGION, "quay/*") });
        ground.policy(
            ACCOUNT,
            REGION,
            None,
            Some(json!({ "Version": "2012-10-17", "Statement": [statement] })),
        );
    }),
    (Nat, "a cached image needs no right to import", |ground| {
        cache_rule(ground, ACCOUNT, "hub", "registry-1.docker.io");
        ground.image(ACCOUNT, REGION, "hub/nginx", "v1");
    }),
    (Nat, "custom DNS servers are unknown, not broken", |ground| {
        ground.list("DhcpOptions")[0]["DhcpConfigurations"][0]["Values"][0]["Value"] = json!("8.8.8.8");
    }),
    (Nat, "a firewall endpoint on the way is unknown, not broken", |ground| {
        let firewall =
            json!({ "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "vpce-fw", "State": "active" });
        replace_default_route(ground, "rtb-a", firewall);
        ground.add(
            "VpcEndpoints",
            json!({ "VpcEndpointId": "vpce-fw", "VpcEndpointType": "GatewayLoadBalancer", "VpcId": "vpc-1",
            "State": "available", "ServiceName": "com.amazonaws.vpce.eu-west-1.vpce-svc-1" }),
        );
    }),
    (Private, "an S3 interface endpoint beside the gateway", |ground| {
        let mut only = endpoint(ground, "vpce-dkr").clone();
        only["VpcEndpointId"] = json!("vpce-s3i");
        only["ServiceName"] = json!(format!("com.amazonaws.{REGION}.s3"));
        only["PrivateDnsEnabled"] = json!(false);
        ground.add("VpcEndpoints", only);
    }),
    (Nat, "a firewall whose list holds every host of a pull", |ground| {
        network_firewall(ground, &[".ecr.eu-west-1.amazonaws.com", ".s3.eu-west-1.amazonaws.com"]);
    }),
    (Nat, "a DNS firewall that answers for AWS", |ground| dns_firewall(ground, &["*.amazonaws.com"])),
    (Nat, "a taint that outlives the pressure on a disk", |ground| {
        let kubelet = ground.kubelet();
        kubelet["spec"]["taints"] =
            json!([{ "key": "node.kubernetes.io/disk-pressure", "effect": "NoSchedule" }]);
        kubelet["status"]["conditions"] = json!([{ "type": "DiskPressure", "status": "False" }]);
    }),
    (Nat, "pressure on the memory of a node", |ground| {
        ground.kubelet()["status"]["conditions"] = json!([{ "type": "MemoryPressure", "status": "True" }]);
    }),
    (Private, "an image of Windows with all of its layers", |ground| {
        on_windows(ground);
        layered(ground, "win", LAYER);
        second_layer(ground, "win", "AVAILABLE");
    }),
    (Private, "layers of Microsoft where no node runs Windows", |ground| {
        layered(ground, "win", FOREIGN_LAYER);
    }),
    (Nat, "layers of Microsoft with a way to the internet", |ground| {
        on_windows(ground);
        layered(ground, "win", FOREIGN_LAYER);
    }),
    (Nat, "a node on premises whose role may pull", |ground| {
        hybrid(ground, "rolesanywhere.amazonaws.com", pull_only());
    }),
    (Nat, "a service account that may have its role for pulls", |ground| own_role(ground, "app")),
    (Nat, "a key that nobody read", |ground| {
        encrypted(ground, "sealed", "Enabled");
        *ground.file("key-sealed") = json!({});
    }),
    (Nat, "a key that is enabled", |ground| encrypted(ground, "sealed", "Enabled")),
    (Nat, "a rule that is valid", |ground| {
        cache_rule(ground, ACCOUNT, "hub", "registry-1.docker.io");
        *ground.file("validated") = json!({ "registryId": ACCOUNT, "region": REGION, "ecrRepositoryPrefix": "hub",
            "upstreamRegistryUrl": "registry-1.docker.io", "isValid": true });
        ground.image(ACCOUNT, REGION, "hub/nginx", "v1");
    }),
    (Nat, "a private zone of another name", |ground| ground.zone("ZMINE", "example.internal.", &[])),
    (Nat, "egress to the prefix list, the endpoints and everything", |ground| {
        let rules = row(ground.list("SecurityGroups"), "GroupId", "sg-node")["IpPermissionsEgress"]
            .as_array_mut()
            .unwrap();
        rules.push(everything());
    }),
    (CentralEgress, "a transit gateway of which only the near side was read", |ground| {
        ground.remove("Vpcs", "VpcId", "vpc-egress");
    }),
    (AutoMode, "another node pool that has no nodes yet", |ground| {
        ground.file("cluster")["cluster"]["computeConfig"]["nodePools"] =
            json!(["general-purpose", "system"]);
    }),
    (DualStack, "IPv4 carries what IPv6 does not", |ground| {
        let routes =
            row(ground.list("RouteTables"), "RouteTableId", "rtb-a")["Routes"].as_array_mut().unwrap();
        routes.retain(|route| route["DestinationIpv6CidrBlock"] != "::/0");
    }),
];
