//! Approval by signature: `ssh-keygen -Y sign -n ecr-fix -f KEY plan.json` by somebody who is listed and did not plan.
//!
//! The file of allowed signers is that of `ssh-keygen`, see ALLOWED SIGNERS in ssh-keygen(1).

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use ssh_key::public::KeyData;
use ssh_key::{Algorithm, HashAlg, PublicKey, SshSig};

use super::journal::Signer;

/// The purpose that a signature names, so that a signature for something else is none for a plan.
const NAMESPACE: &str = "ecr-fix";

/// Whose signatures count.
#[derive(Clone, Debug)]
pub struct AllowedSigners {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    principals: String,
    key: PublicKey,
    is_authority: bool,
    namespaces: Option<String>,
    valid_after: Option<Timestamp>,
    valid_before: Option<Timestamp>,
}

impl AllowedSigners {
    /// Reads the file. Times without a `Z` are in the given time zone.
    ///
    /// # Errors
    /// The line that cannot be understood, and why: nobody can say what it was to allow.
    pub fn parse(text: &str, zone: &TimeZone) -> Result<AllowedSigners, String> {
        let mut entries = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            entries.push(entry(line, zone).map_err(|because| format!("line {number}: {because}"))?);
        }
        Ok(AllowedSigners { entries })
    }

    /// Who signed a message, if their signature counts now and they are not the planner.
    ///
    /// # Errors
    /// Why the signature does not count.
    pub fn check(
        &self,
        message: &[u8],
        signature: &str,
        planned_by: Option<&str>,
        now: Timestamp,
    ) -> Result<Signer, String> {
        let signature = SshSig::from_pem(signature.trim())
            .map_err(|error| format!("it is no signature by a key of SSH: {error}"))?;
        let key = PublicKey::from(signature.public_key().clone());
        let print = key.fingerprint(HashAlg::Sha256).to_string();
        check_strength(&signature)?;
        key.verify(NAMESPACE, message, &signature).map_err(|_| {
            format!("it does not fit: {print} signed another text, or for {:?}", signature.namespace())
        })?;
        let mut because = format!("{print} is not the key of an allowed signer");
        for entry in self.entries.iter().filter(|entry| entry.key.key_data() == key.key_data()) {
            match entry.counts(planned_by, now) {
                Ok(()) => return Ok(Signer { principals: entry.principals.clone(), key: print }),
                Err(why_not) => because = format!("the key of {}: {why_not}", entry.principals),
            }
        }
        Err(because)
    }
}

impl Entry {
    fn counts(&self, planned_by: Option<&str>, now: Timestamp) -> Result<(), String> {
        if self.is_authority {
            return Err("it may sign certificates, not plans".to_owned());
        }
        if self.namespaces.as_ref().is_some_and(|list| !in_list(list, NAMESPACE)) {
            return Err(format!("it may not sign for {NAMESPACE:?}"));
        }
        if self.valid_after.is_some_and(|after| now < after) {
            return Err("it is not valid yet".to_owned());
        }
        if self.valid_before.is_some_and(|before| now >= before) {
            return Err("it is not valid any more".to_owned());
        }
        match planned_by.filter(|planner| self.may_be(planner)) {
            Some(planner) => Err(format!("they made the plan themselves ({planner})")),
            None => Ok(()),
        }
    }

    /// Whether the principals can mean the identity that made the plan: by its ARN, or by the name of its user or
    /// session, with or without what stands behind an `@`.
    fn may_be(&self, planner: &str) -> bool {
        let name = planner.rsplit('/').next().unwrap_or(planner);
        let local = |name: &str| name.split('@').next().unwrap_or_default().to_owned();
        let names = [planner.to_owned(), name.to_owned(), local(name)];
        let listed = self.principals.split(',').any(|principal| names.contains(&local(principal)));
        listed || names.iter().any(|name| in_list(&self.principals, name))
    }
}

fn check_strength(signature: &SshSig) -> Result<(), String> {
    // The last five bytes that a security key signs: what it saw of a person, and a counter.
    let flags = signature.signature_bytes().iter().rev().nth(4).copied().unwrap_or_default();
    match signature.algorithm() {
        Algorithm::Rsa { hash: None } => Err("it is made with SHA-1".to_owned()),
        Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256 if flags & 1 == 0 => {
            Err("nobody touched the security key that made it".to_owned())
        }
        _ => match signature.public_key() {
            KeyData::Rsa(key) if key.n.as_positive_bytes().is_none_or(|modulus| modulus.len() < 256) => {
                Err("it is made with an RSA key of less than 2048 bits".to_owned())
            }
            _ => Ok(()),
        },
    }
}

/// `PRINCIPALS [OPTIONS] KEY-TYPE BASE64 [COMMENT]`.
fn entry(line: &str, zone: &TimeZone) -> Result<Entry, String> {
    let (principals, rest) = word(line)?;
    let (second, behind) = word(rest)?;
    let (options, key) = if is_key_type(&second) { (String::new(), rest) } else { (second, behind) };
    let key =
        PublicKey::from_openssh(key.trim()).map_err(|error| format!("its key cannot be read: {error}"))?;
    let mut options = options_of(&options)?;
    let mut time = |name: &str| match options.remove(name) {
        Some(value) => time_of(&value, zone).map(Some).ok_or(format!("{name} is not a time: {value:?}")),
        None => Ok(None),
    };
    let (valid_after, valid_before) = (time("valid-after")?, time("valid-before")?);
    let entry = Entry {
        principals,
        key,
        is_authority: options.remove("cert-authority").is_some(),
        namespaces: options.remove("namespaces"),
        valid_after,
        valid_before,
    };
    match options.keys().next() {
        Some(unknown) => Err(format!("the option {unknown:?} is not known")),
        None => Ok(entry),
    }
}

/// The first word, without its quotes, and what stands behind it. White space in quotes belongs to a word.
fn word(text: &str) -> Result<(String, &str), String> {
    let text = text.trim_start();
    let mut quoted = false;
    let end = text.find(|c: char| {
        quoted ^= c == '"';
        c.is_whitespace() && !quoted
    });
    if quoted && end.is_none() {
        return Err("a quotation mark is missing".to_owned());
    }
    let (word, rest) = text.split_at(end.unwrap_or(text.len()));
    match word {
        "" => Err("it ends too early".to_owned()),
        word => Ok((
            word.strip_prefix('"').and_then(|word| word.strip_suffix('"')).unwrap_or(word).to_owned(),
            rest,
        )),
    }
}

fn is_key_type(word: &str) -> bool {
    ["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"].iter().any(|start| word.starts_with(start))
}

/// `name,name="value",…`; a comma in quotes belongs to the value.
fn options_of(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut options = BTreeMap::new();
    let mut quoted = false;
    let parts = text.split(|c: char| {
        quoted ^= c == '"';
        c == ',' && !quoted
    });
    for part in parts.filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        if options.insert(name.to_ascii_lowercase(), value.to_owned()).is_some() {
            return Err(format!("the option {name:?} stands there twice"));
        }
    }
    Ok(options)
}

/// `YYYYMMDD` or `YYYYMMDDHHMM[SS]`, each with a `Z` for UTC.
fn time_of(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let (digits, zone) = match text.strip_suffix(['Z', 'z']) {
        Some(digits) => (digits, TimeZone::UTC),
        None => (text, zone.clone()),
    };
    let full = match digits.len() {
        8 => format!("{digits}000000"),
        12 => format!("{digits}00"),
        14 => digits.to_owned(),
        _ => return None,
    };
    zone.to_timestamp(DateTime::strptime("%Y%m%d%H%M%S", full).ok()?).ok()
}

/// Whether a list of patterns with `*`, `?` and `!` has a text: one pattern fits, and none that is negated.
fn in_list(list: &str, text: &str) -> bool {
    let mut found = false;
    for pattern in list.split(',') {
        match pattern.strip_prefix('!') {
            Some(negated) if fits(negated, text) => return false,
            Some(_) => {}
            None => found |= fits(pattern, text),
        }
    }
    found
}

fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    // Which beginnings of the text the pattern so far can be.
    let mut reached = vec![false; text.len() + 1];
    if let Some(start) = reached.first_mut() {
        *start = true;
    }
    for wanted in pattern {
        let mut next = vec![false; text.len() + 1];
        for (at, slot) in next.iter_mut().enumerate() {
            let before = at.checked_sub(1);
            *slot = match wanted {
                '*' => reached.iter().take(at + 1).any(|known| *known),
                _ => before.is_some_and(|before| {
                    reached.get(before) == Some(&true) && (wanted == '?' || text.get(before) == Some(&wanted))
                }),
            };
        }
        reached = next;
    }
    reached.last() == Some(&true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ssh_key::PrivateKey;

    const ALICE: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDiPdeVo5jyf0T2cMdvoe4cfSEdqr2/MGJ9fuMv7YSLm alice";

    fn parsed(line: &str) -> Result<Entry, String> {
        Ok(AllowedSigners::parse(line, &TimeZone::UTC)?.entries.swap_remove(0))
    }

    #[test]
    fn the_file_is_read_as_ssh_keygen_reads_it() {
        let plain = parsed(&format!("alice@example.com,bob {ALICE}")).unwrap();
        assert_eq!(plain.principals, "alice@example.com,bob");
        assert!(plain.namespaces.is_none() && !plain.is_authority);
        let full = parsed(&format!(
            "\"alice a\" namespaces=\"git,ecr-*\",valid-after=\"20260101\",valid-before=\"202612312359Z\" {ALICE}"
        ));
        let full = full.unwrap();
        assert_eq!((full.principals.as_str(), full.namespaces.as_deref()), ("alice a", Some("git,ecr-*")));
        assert_eq!(full.valid_after.unwrap().to_string(), "2026-01-01T00:00:00Z");
        assert_eq!(full.valid_before.unwrap().to_string(), "2026-12-31T23:59:00Z");
        assert!(parsed(&format!("ca cert-authority {ALICE}")).unwrap().is_authority);
        for broken in [
            "alice",
            "alice ssh-ed25519 AAAA",
            "alice valid-after=\"tomorrow\" ",
            &format!("alice no-such-option {ALICE}"),
            &format!("alice valid-before=\"2026\" {ALICE}"),
            &format!("alice namespaces=\"git {ALICE}"),
            &format!("alice namespaces=\"a\",namespaces=\"b\" {ALICE}"),
        ] {
            assert!(parsed(broken).is_err(), "{broken}");
        }
        let commented = AllowedSigners::parse(&format!("# us\n\n  x {ALICE}\n"), &TimeZone::UTC).unwrap();
        assert_eq!(commented.entries.len(), 1);
        assert!(AllowedSigners::parse("# us\nx", &TimeZone::UTC).unwrap_err().starts_with("line 2"));
    }

    #[test]
    fn patterns_are_those_of_openssh() {
        for (list, text, expected) in [
            ("*", "any", true),
            ("ecr-*", "ecr-fix", true),
            ("e?r-fix", "ecr-fix", true),
            ("git,ecr-fix", "ecr-fix", true),
            ("*,!ecr-fix", "ecr-fix", false),
            ("git", "ecr-fix", false),
            ("ecr-fix?", "ecr-fix", false),
            ("", "ecr-fix", false),
        ] {
            assert_eq!(in_list(list, text), expected, "{list} {text}");
        }
    }

    #[test]
    fn a_signature_counts_for_its_text_its_purpose_its_time_and_not_for_the_planner() {
        let key = PrivateKey::from(ssh_key::private::Ed25519Keypair::from_seed(&[7; 32]));
        let public = key.public_key().to_openssh().unwrap();
        let sign = |namespace: &str, text: &str| {
            key.sign(namespace, HashAlg::Sha512, text.as_bytes()).unwrap().to_pem(Default::default()).unwrap()
        };
        let good = sign(NAMESPACE, "the plan");
        let now = "2026-06-01T00:00:00Z".parse().unwrap();
        let check = |line: &str, signature: &str, planner: Option<&str>| {
            let line = line.replace("KEY", &public);
            AllowedSigners::parse(&line, &TimeZone::UTC).unwrap().check(b"the plan", signature, planner, now)
        };
        let bob = Some("arn:aws:sts::111122223333:assumed-role/Admin/bob@example.com");
        let signer = check("alice@example.com KEY", &good, bob).unwrap();
        assert_eq!(signer.principals, "alice@example.com");
        assert!(signer.key.starts_with("SHA256:"));
        assert!(check("alice namespaces=\"ecr-fix\",valid-after=\"20260101\" KEY", &good, bob).is_ok());
        for (line, signature, planner, because) in [
            ("alice KEY", sign("git", "the plan"), bob, "signed another text, or for \"git\""),
            ("alice KEY", sign(NAMESPACE, "another plan"), bob, "signed another text"),
            ("alice KEY", "no signature".to_owned(), bob, "no signature"),
            ("alice namespaces=\"git\" KEY", good.clone(), bob, "may not sign"),
            ("alice valid-after=\"20260602\" KEY", good.clone(), bob, "not valid yet"),
            ("alice valid-before=\"20260531\" KEY", good.clone(), bob, "not valid any more"),
            ("alice cert-authority KEY", good.clone(), bob, "certificates"),
            ("bob@example.com KEY", good.clone(), bob, "made the plan themselves"),
            ("carol,bob KEY", good.clone(), bob, "made the plan themselves"),
            ("*@example.com KEY", good.clone(), bob, "made the plan themselves"),
            ("alice KEY", good.clone(), Some("arn:aws:iam::111122223333:user/team/alice"), "themselves"),
            ("alice ", good.clone(), bob, "not the key"),
        ] {
            let line = if line == "alice " { format!("alice {ALICE}") } else { line.to_owned() };
            let refused = check(&line, &signature, planner).unwrap_err();
            assert!(refused.contains(because), "{line}: {refused}");
        }
        assert!(check("alice KEY", &good, None).is_ok(), "nobody planned it: a sandbox");
    }
}
