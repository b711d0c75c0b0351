//! `apply --require-approval`: somebody who is listed and did not plan has signed the plan.

use std::fs;
use std::process::Command;

use ssh_key::private::Ed25519Keypair;
use ssh_key::{HashAlg, PrivateKey};

use crate::sandbox::{Sandbox, WORLD};
use crate::support::Case;

const APPLY: [&str; 5] = ["apply", "plan.json", "--yes", "--require-approval", "signers"];

fn key(seed: u8) -> PrivateKey {
    PrivateKey::from(Ed25519Keypair::from_seed(&[seed; 32]))
}

fn sign(home: &std::path::Path, key: &PrivateKey) {
    let plan = fs::read(home.join("plan.json")).unwrap();
    let signature = key.sign("ecr-fix", HashAlg::Sha512, &plan).unwrap();
    fs::write(home.join("plan.json.sig"), signature.to_pem(Default::default()).unwrap()).unwrap();
}

fn list(home: &std::path::Path, lines: &[String]) {
    fs::write(home.join("signers"), lines.join("\n")).unwrap();
}

fn line(principals: &str, key: &PrivateKey) -> String {
    format!("{principals} {}", key.public_key().to_openssh().unwrap())
}

#[test]
fn a_plan_is_applied_only_with_a_signature_that_counts() {
    let case = Case::planned("node-role-no-ecr");
    let home = case.operator.home().to_owned();
    let refused = |because: &str| {
        let outcome = case.run(&APPLY).expect(10);
        assert_eq!(outcome.error_code(), "approval_needed");
        assert!(outcome.stdout.contains(because), "{because}\n{outcome}");
        assert_eq!(case.writes(), [""; 0]);
    };
    refused("signers cannot be read");
    list(&home, &["not a line".to_owned()]);
    refused("line 1");
    list(&home, &[line("alice", &key(1)), line("bob", &key(2))]);
    refused("ssh-keygen -Y sign -n ecr-fix");
    sign(&home, &key(3));
    refused("not the key of an allowed signer");

    // The planner signs; the emulator names them by the last part of their ARN.
    let planner = case.plan()["planned_by"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    list(&home, &[line(&planner, &key(3))]);
    refused("made the plan themselves");

    sign(&home, &key(2));
    list(&home, &[line("alice", &key(1)), line("bob", &key(2))]);
    let whole = fs::read_to_string(home.join("plan.json")).unwrap();
    fs::write(home.join("plan.json"), format!("{whole} ")).unwrap();
    refused("signed another text");
    fs::write(home.join("plan.json"), whole).unwrap();
    let applied = case.run(&APPLY).expect(0).json();
    assert_eq!(applied["signed_by"]["principals"], "bob");
}

/// With the program that people have, for each type of key that it makes without a device.
#[test]
fn signatures_of_ssh_keygen_count() {
    if Command::new("ssh-keygen").arg("-?").output().is_err() {
        eprintln!("ssh-keygen is not installed: not tried");
        return;
    }
    for (kind, bits) in
        [("ed25519", None), ("ecdsa", Some("256")), ("ecdsa", Some("384")), ("rsa", Some("3072"))]
    {
        let sandbox = Sandbox::planned();
        let home = sandbox.program.home();
        let keygen = |arguments: &[&str]| {
            let output = Command::new("ssh-keygen").args(arguments).current_dir(home).output().unwrap();
            assert!(output.status.success(), "{output:?}");
        };
        let bits: Vec<&str> = bits.iter().flat_map(|bits| ["-b", bits]).collect();
        keygen(&[&["-q", "-t", kind, "-N", "", "-f", "key"], &bits[..]].concat());
        keygen(&["-Y", "sign", "-n", "ecr-fix", "-f", "key", "plan.json"]);
        let public = fs::read_to_string(home.join("key.pub")).unwrap();
        list(home, &[format!("alice namespaces=\"ecr-fix\" {public}")]);
        let outcome = sandbox.program.run(&[&APPLY[..], &WORLD].concat());
        assert_eq!(outcome.code, 0, "{kind}\n{outcome}");
    }
}
