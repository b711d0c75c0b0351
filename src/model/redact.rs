//! Secrets in messages: presigned addresses of layers, tokens, passwords. They are cut before anything else
//! looks at a message, so nothing that we keep or print can hold them.

/// What stands in place of a secret.
const REDACTED: &str = "REDACTED";

/// How the values begin that are secret wherever they stand: tokens of ECR and of other registries (JSON or `AWS:`
/// in base64), and session tokens of STS.
const SECRET_STARTS: [&str; 5] = ["eyJ", "QVdTO", "IQoJb3JpZ2lu", "FwoGZXIvYXdz", "FQoGZXIvYXdz"];

/// Words after which a secret follows, in lower case.
const SECRET_LABELS: [&str; 11] = [
    "bearer ",
    "basic ",
    "password=",
    "password:",
    "--password ",
    "secret_access_key=",
    "secretaccesskey=",
    "session_token=",
    "sessiontoken=",
    "access_token=",
    "token=",
];

/// Query parameters that show that an address is presigned, in lower case.
const SIGNED: [&str; 6] = ["x-amz-", "signature=", "token=", "verify=", "key-pair-id=", "policy="];

/// The text without secrets.
pub fn redact(text: &str) -> String {
    if !may_hold_secret(text) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut after_label = false;
    let mut continues = false;
    for (word, gap) in words(text) {
        let clean = if word.is_empty() {
            word.to_owned()
        } else if (continues && looks_encoded(word)) || (after_label && word.len() >= 8) {
            REDACTED.to_owned()
        } else {
            redact_word(word)
        };
        // A long address that was wrapped goes on after the line end.
        continues = clean.ends_with(REDACTED) && gap.starts_with(['\n', '\r']);
        let label = format!("{}{}", word.to_ascii_lowercase(), if gap.is_empty() { "" } else { " " });
        after_label = SECRET_LABELS.iter().any(|ending| label.ends_with(ending.trim_start_matches('-')))
            && !label.contains("realm")
            && !word.starts_with("no");
        out.push_str(&clean);
        out.push_str(gap);
    }
    out
}

/// Most lines hold nothing that resembles a secret.
fn may_hold_secret(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    SECRET_STARTS.iter().any(|start| text.contains(start))
        || SECRET_LABELS.iter().any(|label| lower.contains(label))
        || (lower.contains('?') && SIGNED.iter().any(|sign| lower.contains(sign)))
        || lower.contains("x-amz-")
}

/// Words, each with the white space behind it.
fn words(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let word_end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(word_end);
        let gap_end = behind.find(|c: char| !c.is_whitespace()).unwrap_or(behind.len());
        let (gap, next) = behind.split_at(gap_end);
        rest = next;
        Some((word, gap))
    })
}

fn redact_word(word: &str) -> String {
    let lower = word.to_ascii_lowercase();
    if let Some(question) = word.find('?')
        && SIGNED.iter().any(|sign| lower.get(question..).is_some_and(|query| query.contains(sign)))
    {
        let (address, query) = word.split_at(question);
        let closing =
            query.find(['"', '\'', '>', ')', '`', '<']).map_or("", |end| query.get(end..).unwrap_or(""));
        return format!("{address}?{REDACTED}{closing}");
    }
    if let Some(start) =
        lower.find("x-amz-").or_else(|| SECRET_LABELS.iter().find_map(|label| value_of(&lower, label)))
    {
        return format!("{}{REDACTED}", word.get(..start).unwrap_or_default());
    }
    for secret in SECRET_STARTS {
        if let Some(start) = word.find(secret)
            && word.len() - start >= 32
        {
            return format!("{}{REDACTED}", word.get(..start).unwrap_or_default());
        }
    }
    word.to_owned()
}

/// Where the value of `label=value` begins, if there is one.
fn value_of(lower: &str, label: &str) -> Option<usize> {
    let start = lower.find(label)? + label.len();
    (label.ends_with(['=', ':']) && lower.len() >= start + 8).then_some(start)
}

fn looks_encoded(word: &str) -> bool {
    word.contains(['%', '&', '='])
        || (word.len() >= 16 && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/_-\"".contains(&b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_cut_and_the_rest_stays() {
        let layer = "https://prod-us-east-1-starport-layer-bucket.s3.us-east-1.amazonaws.com/a/b";
        let signed = format!("Get \"{layer}?X-Amz-Security-Token=IQoJ&X-Amz-Signature=00ff\": dial tcp");
        assert_eq!(redact(&signed), format!("Get \"{layer}?REDACTED\": dial tcp"));
        let wrapped = format!("Get {layer}?X-Amz-Signature=00ff\n00ffaa%2Bbb&X-Amz-Date=1: timeout");
        assert_eq!(redact(&wrapped), format!("Get {layer}?REDACTED\nREDACTED timeout"));
        assert_eq!(
            redact("crictl pull --creds AWS:eyJwYXlsb2FkIjoiMDAwMDAwMDAwMDAwMDAwMDAw"),
            "crictl pull --creds AWS:REDACTED"
        );
        assert_eq!(redact("Authorization: Bearer abcdefghijkl end"), "Authorization: Bearer REDACTED end");
        assert_eq!(redact("password=correcthorse x"), "password=REDACTED x");
        for harmless in [
            "no basic auth credentials",
            "https://host/v2/a/manifests/v1?ns=docker.io: 403 Forbidden",
            "  two  blanks\n\tand a tab ",
            "",
        ] {
            assert_eq!(redact(harmless), harmless);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_signature_survives(before in "\\PC{0,40}", secret in "[0-9a-f]{64}") {
            let text = format!("{before} https://h/x?X-Amz-Algorithm=A&X-Amz-Signature={secret} after");
            proptest::prop_assert!(!redact(&text).contains(&secret));
        }
    }
}
