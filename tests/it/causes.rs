//! What is read of images, private zones and organizations, against the emulator.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::support::{Case, read_json, somebody_else};

fn causes(diagnosis: &Value) -> BTreeSet<String> {
    let findings = diagnosis["findings"].as_array().expect("findings").iter();
    findings.map(|finding| finding["cause"].as_str().expect("a cause").to_owned()).collect()
}

#[test]
fn platforms_lifecycle_policies_and_private_zones_are_read() {
    let case = Case::build("healthy");
    somebody_else(
        &case.scenario,
        r#"
ecr = client("ecr")
ecr.create_repository(repositoryName="extra")
ecr.put_image(repositoryName="extra", imageTag="graviton", imageManifestMediaType="application/vnd.oci.image.index.v1+json",
              imageManifest=json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [
                  {"digest": "sha256:" + "1" * 64, "size": 1, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                   "platform": {"os": "linux", "architecture": "arm64"}}]}))
ecr.put_lifecycle_policy(repositoryName="extra", lifecyclePolicyText=json.dumps({"rules": [
    {"rulePriority": 1, "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1},
     "action": {"type": "expire"}}]}))
client("route53").create_hosted_zone(
    Name=f"ecr.{world['region']}.amazonaws.com", CallerReference="x", HostedZoneConfig={"PrivateZone": True, "Comment": ""},
    VPC={"VPCRegion": world["region"], "VPCId": world["vpc"]["id"]})"#,
    );
    let host = format!("{}.dkr.ecr.{}.amazonaws.com", case.scenario.account(), case.scenario.text("/region"));
    let images = [format!("{host}/extra:graviton"), format!("{host}/extra:gone")];
    let arguments = ["--image", &images[0], "--image", &images[1]];
    let diagnosis = case.live("diagnose", &arguments).expect(0).json();
    let expected = ["image-deleted-by-lifecycle", "platform-mismatch", "private-hosted-zone-shadow"];
    assert_eq!(causes(&diagnosis), expected.map(str::to_owned).into(), "{diagnosis:#}");
    case.live("snapshot", &[&arguments[..], &["--out", "saved"]].concat()).expect(0);
    let again = case.live("diagnose", &[&arguments[..], &["--snapshot", "saved"]].concat()).expect(0).json();
    assert_eq!(again, diagnosis);
}

/// The account of the cluster manages the organization, so nothing binds it; the policies above another account are read.
#[test]
fn what_an_organization_forbids_is_read_level_by_level() {
    let case = Case::build("healthy");
    let member = somebody_else(
        &case.scenario,
        r#"
organizations = client("organizations")
organizations.create_organization(FeatureSet="ALL")
root = organizations.list_roots()["Roots"][0]["Id"]
unit = organizations.create_organizational_unit(ParentId=root, Name="unit")["OrganizationalUnit"]["Id"]
member = organizations.create_account(Email="a@example.org", AccountName="member")["CreateAccountStatus"]["AccountId"]
organizations.move_account(AccountId=member, SourceParentId=root, DestinationParentId=unit)
policy = organizations.create_policy(Name="no-pulls", Description="x", Type="SERVICE_CONTROL_POLICY", Content=json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "ecr:*", "Resource": "*"}]}))["Policy"]["PolicySummary"]["Id"]
for target in (root, unit):
    organizations.attach_policy(PolicyId=policy, TargetId=target)
print(member)"#,
    );
    let member = member.trim();
    let image = format!("{member}.dkr.ecr.{}.amazonaws.com/app:v1", case.scenario.text("/region"));
    case.live("snapshot", &["--image", &image, "--out", "saved"]).expect(0);
    let diagnosis = case.live("diagnose", &["--snapshot", "saved", "--image", &image]).expect(0).json();
    assert_eq!(causes(&diagnosis), BTreeSet::new(), "{diagnosis:#}");
    let saved = case.operator.home().join("saved");
    let files = fs::read_dir(&saved).unwrap().map(|file| file.unwrap().path());
    let files: Vec<Value> = files.map(|file| read_json(&file)).collect();
    let parents = files.iter().filter(|file| file.get("Parents").is_some()).count();
    assert_eq!(parents, 2, "of the account and of its unit");
    let attached = files.iter().filter(|file| file["Filter"] == "SERVICE_CONTROL_POLICY");
    let denies = |file: &&Value| file["Policies"].to_string().contains("no-pulls");
    assert_eq!(attached.filter(denies).count(), 2, "at the root and at the unit");
    let content = files.iter().find_map(|file| {
        let policy = &file["Policy"];
        (policy["PolicySummary"]["Name"] == "no-pulls").then(|| policy["Content"].to_string())
    });
    assert!(content.is_some_and(|content| content.contains("Deny")), "the document is there too");
}
