//! A broken cluster with its operator, and everything that the operator asks AWS on record.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{Outcome, Program, Proxy, Scenario, assert_same_state, emulated_state, somebody_else, writes};

/// One test's world.
pub(crate) struct Case {
    /// The cluster.
    pub(crate) scenario: Scenario,
    /// Between the operator and the emulator.
    pub(crate) proxy: Proxy,
    /// Has all rights, and a plan in the file `plan.json` once [`Case::planned`] made it.
    pub(crate) operator: Program,
}

impl Case {
    /// A scenario of `broken_cluster.py`.
    pub(crate) fn build(kind: &str) -> Case {
        let scenario = Scenario::build(kind);
        let proxy = Proxy::start();
        let operator = Program::operator(&scenario).through(&proxy);
        Case { scenario, proxy, operator }
    }

    /// The same, and a plan for it.
    pub(crate) fn planned(kind: &str) -> Case {
        let case = Case::build(kind);
        case.live("plan", &["--out", "plan.json"]).expect(0);
        case.proxy.forget();
        case
    }

    /// A planned case with two changes: of a trust policy, and of what a node role may do.
    pub(crate) fn planned_with_two_changes() -> Case {
        let case = Case::build("fargate-trust");
        somebody_else(
            &case.scenario,
            r#"
iam, role = client("iam"), world["roles"]["node"].split("/")[-1]
for policy in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
    if "ContainerRegistry" in policy["PolicyArn"]:
        iam.detach_role_policy(RoleName=role, PolicyArn=policy["PolicyArn"])"#,
        );
        case.live("plan", &["--out", "plan.json"]).expect(0);
        assert_eq!(case.plan()["actions"].as_array().map(Vec::len), Some(2));
        case.proxy.forget();
        case
    }

    /// The call that makes an action of the plan, by its place.
    pub(crate) fn call_of(&self, action: usize) -> String {
        self.plan()["actions"][action]["api_calls"][0].as_str().expect("a call").to_owned()
    }

    /// The id of the latest run.
    pub(crate) fn latest_run(&self) -> String {
        let run = self.operator.runs().pop().expect("a run");
        run.file_name().expect("a name").to_str().expect("UTF-8").to_owned()
    }

    /// A planned case for tests that change nothing in it: all of them get the same one. Its proxy never makes trouble.
    pub(crate) fn shared() -> &'static Case {
        static SHARED: OnceLock<Case> = OnceLock::new();
        SHARED.get_or_init(|| Case::planned("fargate-trust"))
    }

    /// Runs a command on the live cluster, with JSON as output.
    pub(crate) fn live(&self, command: &str, arguments: &[&str]) -> Outcome {
        let cluster = ["--cluster", self.scenario.cluster(), "--output", "json"];
        self.operator.run(&[&[command], cluster.as_slice(), arguments].concat())
    }

    /// Runs a command that needs no cluster, with JSON as output.
    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        self.operator.run(&[arguments, &["--output", "json"]].concat())
    }

    /// The verdict of a new diagnosis.
    #[track_caller]
    pub(crate) fn verdict(&self) -> String {
        let diagnosis = self.live("diagnose", &[]).expect(0).json();
        diagnosis["summary"]["verdict"].as_str().expect("a verdict").to_owned()
    }

    /// Grows the scenario to 3 node groups, 1 Fargate profile, 3 roles and 4 repositories, and names all images.
    pub(crate) fn grown(&self) -> Vec<String> {
        let fourth = somebody_else(&self.scenario, MORE);
        let mut arguments = self.images();
        arguments.extend(["--image".to_owned(), format!("{}:v1", fourth.trim())]);
        arguments
    }

    /// Arguments that name every image of the scenario, and the role that reads the other account's registry.
    pub(crate) fn images(&self) -> Vec<String> {
        let images = self.scenario.document["images"].as_array().expect("images").iter();
        let named = images.flat_map(|image| ["--image", image.as_str().expect("an image")]);
        let mut arguments: Vec<String> = named.map(str::to_owned).collect();
        let (account, role) = (self.scenario.text("/registry_account"), self.scenario.text("/registry_role"));
        arguments.extend(["--account-role".to_owned(), format!("{account}={role}")]);
        arguments
    }

    /// The plan in `plan.json`.
    pub(crate) fn plan(&self) -> Value {
        read_json(&self.operator.home().join("plan.json"))
    }

    /// Everything that could be changed, as it is now.
    pub(crate) fn state(&self) -> String {
        emulated_state(&self.scenario)
    }

    /// The writes that AWS was asked for so far.
    pub(crate) fn writes(&self) -> Vec<String> {
        writes(&self.proxy.requests())
    }

    /// Rolls the last run back, and demands the state from before it.
    #[track_caller]
    pub(crate) fn roll_back_to(&self, before: &str) -> Outcome {
        let outcome = self.run(&["rollback", "--yes"]).expect(0);
        assert_same_state(before, &self.state());
        outcome
    }
}

impl Program {
    /// The directories of the runs on record, the oldest first.
    pub(crate) fn runs(&self) -> Vec<PathBuf> {
        runs_in(&self.state())
    }
}

/// The directories of the runs below a state directory, the oldest first.
pub(crate) fn runs_in(state: &Path) -> Vec<PathBuf> {
    let mut runs = Vec::new();
    find_journals(state, &mut runs);
    // A run is staged under a hidden name until its plan and its first line are on the disk: nothing was done yet.
    runs.retain(|run| !run.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')));
    runs.sort_by_key(|run| run.file_name().map(ToOwned::to_owned));
    runs
}

/// A plan as somebody with ill intent, or with a clock of their own, would write it: the digest is right.
pub(crate) fn sealed(mut plan: Value) -> String {
    plan.as_object_mut().expect("an object").remove("digest");
    let canonical = serde_json_canonicalizer::to_vec(&plan).expect("canonical JSON");
    plan["digest"] = format!("sha256:{}", hex(&Sha256::digest(canonical))).into();
    plan.to_string()
}

/// A JSON file.
pub(crate) fn read_json(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}\n{text}", path.display()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn find_journals(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten().map_while(Result::ok) {
        let path = entry.path();
        if path.is_dir() {
            find_journals(&path, found);
        } else if entry.file_name() == "journal.jsonl" {
            found.push(directory.to_owned());
        }
    }
}

/// Makes 3 node groups, 3 roles and 4 repositories of a scenario.
const MORE: &str = r#"
import json
node = client("iam").get_role(RoleName=world["roles"]["node"].rsplit("/", 1)[-1])["Role"]
role = client("iam").create_role(
    RoleName="second-" + node["RoleName"], AssumeRolePolicyDocument=json.dumps(node["AssumeRolePolicyDocument"]))["Role"]
client("iam").attach_role_policy(RoleName=role["RoleName"], PolicyArn="arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly")
for number in (2, 3):
    client("eks").create_nodegroup(clusterName=world["cluster"]["name"], nodegroupName=f"workers-{number}",
        nodeRole=role["Arn"], subnets=client("eks").describe_nodegroup(
            clusterName=world["cluster"]["name"], nodegroupName="workers")["nodegroup"]["subnets"])
ecr = client("ecr")
fourth = ecr.create_repository(repositoryName="fourth")["repository"]["repositoryUri"]
manifest = {"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": 1,
                       "digest": "sha256:" + "1" * 64}, "layers": []}
ecr.put_image(repositoryName="fourth", imageManifest=json.dumps(manifest), imageTag="v1")
print(fourth)
"#;
