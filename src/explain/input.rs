//! The messages in what people pipe in: plain lines, `kubectl describe pod`, `kubectl get events`, JSON of kubectl,
//! of journald and of logs. Everything streams: memory does not grow with the input.

use std::fmt;
use std::io::{self, BufRead};

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::text::LONGEST;

/// Reasons of events that report no failure.
const HARMLESS: [&str; 10] = [
    "Scheduled",
    "Pulling",
    "Pulled",
    "Created",
    "Started",
    "Killing",
    "SuccessfulCreate",
    "ScalingReplicaSet",
    "TaintManagerEviction",
    "AddedInterface",
];

/// Gives every message to `take`, in order, until the input or `take` ends.
///
/// # Errors
/// Reading fails, or what begins as JSON is none.
pub fn each_message(mut input: impl BufRead, mut take: impl FnMut(&str) -> io::Result<()>) -> io::Result<()> {
    skip_blank(&mut input)?;
    if begins_as_json(input.fill_buf()?) {
        return json_documents(input, &mut take);
    }
    let mut lines = Lines::default();
    let mut line = Vec::new();
    while read_line(&mut input, &mut line)? {
        lines.take_line(String::from_utf8_lossy(&line).trim_end(), &mut take)?;
    }
    lines.flush(&mut take)
}

fn skip_blank(input: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = input.fill_buf()?;
        let blank = buffer.iter().take_while(|byte| byte.is_ascii_whitespace() || **byte == 0xfe).count();
        let more = blank == buffer.len() && blank > 0;
        input.consume(blank);
        if !more {
            return Ok(());
        }
    }
}

/// `{"…`, `{}` or `[{`: a log line may begin with a bracket too.
fn begins_as_json(buffer: &[u8]) -> bool {
    let mut marks = buffer.iter().filter(|byte| !byte.is_ascii_whitespace());
    match (marks.next(), marks.next()) {
        (Some(b'{'), next) => matches!(next, None | Some(b'"' | b'}')),
        (Some(b'['), next) => matches!(next, None | Some(b'{' | b']' | b'"')),
        _ => false,
    }
}

/// Reads one line, of which it keeps the beginning. False at the end of the input.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let mut any = false;
    loop {
        let buffer = input.fill_buf()?;
        if buffer.is_empty() {
            return Ok(any);
        }
        any = true;
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let length = end.unwrap_or(buffer.len());
        let room = LONGEST.saturating_sub(line.len());
        line.extend_from_slice(buffer.get(..length.min(room)).unwrap_or_default());
        input.consume(length + usize::from(end.is_some()));
        if end.is_some() {
            return Ok(true);
        }
    }
}

/// Lines of text, with what the lines before say about their form.
#[derive(Default)]
struct Lines {
    form: Form,
    /// A row of a table of events, which further lines may continue.
    row: Option<String>,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Nothing was seen yet.
    #[default]
    Unseen,
    /// One message a line.
    Plain,
    /// `kubectl describe`, above its events.
    Description,
    /// The events below a description.
    Events,
    /// `kubectl get events`.
    Table,
}

impl Lines {
    fn take_line(&mut self, line: &str, take: &mut impl FnMut(&str) -> io::Result<()>) -> io::Result<()> {
        let text = line.trim();
        if self.form == Form::Unseen && !text.is_empty() {
            self.form = form_of(text);
            if self.form == Form::Table {
                return Ok(());
            }
        }
        match self.form {
            Form::Unseen | Form::Plain if text.is_empty() => Ok(()),
            Form::Unseen | Form::Plain => take(text),
            Form::Table if text.is_empty() || is_harmless(text) => Ok(()),
            Form::Table => take(text),
            Form::Description => {
                if text.starts_with("Events:") {
                    self.form = Form::Events;
                }
                Ok(())
            }
            Form::Events => self.take_event(line, take),
        }
    }

    fn take_event(&mut self, line: &str, take: &mut impl FnMut(&str) -> io::Result<()>) -> io::Result<()> {
        let text = line.trim();
        let is_head = text.starts_with("Type ") || text.starts_with("----");
        let is_row = text.starts_with("Warning ") || text.starts_with("Normal ");
        let is_next = line.starts_with("Name:");
        if is_row || is_next || is_head || text.is_empty() {
            self.flush(take)?;
        }
        if is_next {
            self.form = Form::Description;
        } else if is_row {
            self.row = Some(text.to_owned());
        } else if let Some(row) = self.row.as_mut().filter(|row| row.len() + text.len() < LONGEST) {
            row.push('\n');
            row.push_str(text);
        }
        Ok(())
    }

    fn flush(&mut self, take: &mut impl FnMut(&str) -> io::Result<()>) -> io::Result<()> {
        match self.row.take() {
            Some(row) if !is_harmless(&row) => take(&row),
            _ => Ok(()),
        }
    }
}

fn form_of(first: &str) -> Form {
    if first.starts_with("LAST SEEN ") || first.starts_with("NAMESPACE ") && first.contains(" LAST SEEN ") {
        Form::Table
    } else if first.starts_with("Name: ") || first == "Name:" {
        Form::Description
    } else if first == "Events:" || first.starts_with("Events: ") || is_head_of_events(first) {
        Form::Events
    } else {
        Form::Plain
    }
}

/// `Type Reason Age From Message`: the events of a description, pasted without the line above them.
fn is_head_of_events(line: &str) -> bool {
    let mut words = line.split_whitespace();
    words.next() == Some("Type") && words.next() == Some("Reason") && words.last() == Some("Message")
}

/// Whether a row of a table is a normal event of no interest.
fn is_harmless(row: &str) -> bool {
    let mut words = row.split_whitespace().take(4).skip_while(|word| *word != "Normal");
    words.next().is_some() && words.next().is_some_and(|reason| HARMLESS.contains(&reason))
}

/// One or more documents, one after the other. The items of lists are handed on one by one.
fn json_documents(input: impl BufRead, take: &mut impl FnMut(&str) -> io::Result<()>) -> io::Result<()> {
    let mut documents = serde_json::Deserializer::from_reader(input);
    loop {
        let mut broken = None;
        let mut hand_on = |value: &Value| messages_of(value, &mut |message| take(message));
        let read = Document { hand_on: &mut hand_on, broken: &mut broken }.deserialize(&mut documents);
        if let Some(error) = broken {
            return Err(error);
        }
        read.map_err(io::Error::from)?;
        if documents.end().is_ok() {
            return Ok(());
        }
    }
}

/// A list, whose items stream, or anything else, which is read whole.
struct Document<'a> {
    hand_on: &'a mut dyn FnMut(&Value) -> io::Result<()>,
    broken: &'a mut Option<io::Error>,
}

impl Document<'_> {
    /// Keeps the error of whoever takes the messages, which serde could only print.
    fn hand_on<E: serde::de::Error>(&mut self, value: &Value) -> Result<(), E> {
        (self.hand_on)(value).map_err(|error| {
            let text = E::custom(&error);
            *self.broken = Some(error);
            text
        })
    }
}

impl<'de> DeserializeSeed<'de> for Document<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Document<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON object or list")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let mut rest = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            if key == "items" {
                map.next_value_seed(Document { hand_on: &mut *self.hand_on, broken: &mut *self.broken })?;
            } else if key == "managedFields" {
                map.next_value::<IgnoredAny>()?;
            } else {
                rest.insert(key, map.next_value()?);
            }
        }
        self.hand_on(&Value::Object(rest))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        while let Some(item) = seq.next_element::<Value>()? {
            self.hand_on(&item)?;
        }
        Ok(())
    }

    fn visit_str<E: serde::de::Error>(mut self, text: &str) -> Result<(), E> {
        self.hand_on(&Value::String(text.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// The messages of an event, a pod, a line of journald or of a log.
fn messages_of(value: &Value, take: &mut dyn FnMut(&str) -> io::Result<()>) -> io::Result<()> {
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
    if let Some(line) = value.as_str() {
        return take(line);
    }
    if let Some(items) = value.get("items").and_then(Value::as_array) {
        return items.iter().try_for_each(|item| messages_of(item, take));
    }
    if value.pointer("/status").is_some() && value.pointer("/spec").is_some() {
        return waiting(value).iter().try_for_each(|message| take(message));
    }
    if let Some(message) = text("/message").or_else(|| text("/note")) {
        let normal = text("/type") == Some("Normal");
        if normal && text("/reason").is_some_and(|reason| HARMLESS.contains(&reason)) {
            return Ok(());
        }
        let host = text("/source/host")
            .or_else(|| text("/deprecatedSource/host"))
            .or_else(|| text("/reportingInstance"));
        return take(&with_host(host, message));
    }
    if let Some(message) = text("/MESSAGE").or_else(|| text("/log")) {
        return take(message);
    }
    match (text("/msg"), text("/err").or_else(|| text("/error"))) {
        (Some(message), Some(error)) => take(&format!("{message}: {error}")),
        (Some(one), None) | (None, Some(one)) => take(one),
        (None, None) => Ok(()),
    }
}

/// Why the containers of a pod wait, where it is about images.
fn waiting(pod: &Value) -> Vec<String> {
    let host = pod.pointer("/spec/nodeName").and_then(Value::as_str);
    ["initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"]
        .iter()
        .filter_map(|list| pod.pointer("/status")?.get(list)?.as_array())
        .flatten()
        .filter_map(|status| {
            let state = status.pointer("/state/waiting")?;
            let reason = state.get("reason")?.as_str()?;
            let about_images =
                reason.contains("Image") || reason.contains("Registry") || reason.contains("Signature");
            let message = state.get("message").and_then(Value::as_str).unwrap_or(reason);
            about_images.then(|| with_host(host, message))
        })
        .collect()
}

/// As `kubectl describe` prints it: the name of the node says something about whose credentials count.
pub(crate) fn with_host(host: Option<&str>, message: &str) -> String {
    match host {
        Some(host) => format!("kubelet, {host}  {message}"),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(input: &str) -> String {
        let mut found = String::new();
        let read = each_message(input.as_bytes(), |message| {
            found += &format!("<{message}>\n");
            Ok(())
        });
        match read {
            Ok(()) => found,
            Err(error) => format!("{found}error: {error}\n"),
        }
    }

    #[test]
    fn plain_lines() {
        let input = "\n  Error: ImagePullBackOff  \n\nI0925 [x] pulling\r\n";
        expect_test::expect![[r#"
            <Error: ImagePullBackOff>
            <I0925 [x] pulling>
        "#]]
        .assert_eq(&messages(input));
    }

    #[test]
    fn kubectl_describe() {
        let input = "Name:         app-1\nNamespace:    default\nContainers:\n  app:\n    State: Waiting\nEvents:\n  \
            Type     Reason     Age                From               Message\n  ----     ------     ----               ----               -------\n  \
            Normal   Scheduled  60s                default-scheduler  Successfully assigned default/app-1 to ip-10-0-0-1.ec2.internal\n  \
            Normal   Pulling    14s (x2 over 28s)  kubelet            Pulling image \"app\"\n  \
            Warning  Failed     14s (x2 over 28s)  kubelet            Failed to pull image \"app\": rpc error: code = Unknown desc =\nmore of it\n  \
            Warning  Failed     14s (x2 over 28s)  kubelet            Error: ErrImagePull\n  \
            Normal   BackOff    2s (x2 over 28s)   kubelet            Back-off pulling image \"app\"\n\n\nName: app-2\nEvents: <none>\n";
        expect_test::expect![[r#"
            <Warning  Failed     14s (x2 over 28s)  kubelet            Failed to pull image "app": rpc error: code = Unknown desc =
            more of it>
            <Warning  Failed     14s (x2 over 28s)  kubelet            Error: ErrImagePull>
            <Normal   BackOff    2s (x2 over 28s)   kubelet            Back-off pulling image "app">
        "#]].assert_eq(&messages(input));
    }

    #[test]
    fn events_pasted_without_their_description() {
        let input = "  Type     Reason     Age  From     Message\n  ----     ------     ---- ----     -------\n  \
            Normal   Pulling    14s  kubelet  Pulling image \"app\"\n  Warning  Failed     14s  kubelet  Error: ErrImagePull\n";
        expect_test::expect![[r#"
            <Warning  Failed     14s  kubelet  Error: ErrImagePull>
        "#]]
        .assert_eq(&messages(input));
    }

    #[test]
    fn kubectl_get_events() {
        let input = "LAST SEEN   TYPE      REASON    OBJECT      MESSAGE\n\
            2m10s       Normal    Pulling   pod/app-1   Pulling image \"app\"\n\
            2m10s       Warning   Failed    pod/app-1   Error: ErrImagePull\n";
        expect_test::expect![[r#"
            <2m10s       Warning   Failed    pod/app-1   Error: ErrImagePull>
        "#]]
        .assert_eq(&messages(input));
    }

    #[test]
    fn json_of_kubectl_journald_and_logs() {
        let input = r#"{ "apiVersion": "v1", "kind": "List", "items": [
            {"kind": "Event", "type": "Warning", "reason": "Failed", "message": "Failed to pull image \"app\"", "source": {"component": "kubelet", "host": "fargate-1"}},
            {"kind": "Event", "type": "Normal", "reason": "Pulling", "message": "Pulling image"},
            {"kind": "Pod", "spec": {"nodeName": "n1"}, "status": {"containerStatuses": [{"state": {"waiting": {"reason": "ErrImagePull", "message": "why"}}}, {"state": {"running": {}}}]}}
        ]}
        {"MESSAGE": "from the journal"}
        {"ts": 1, "msg": "failed", "err": "x509"}
        ["one", {"message": "two"}]"#;
        expect_test::expect![[r#"
            <kubelet, fargate-1  Failed to pull image "app">
            <kubelet, n1  why>
            <from the journal>
            <failed: x509>
            <one>
            <two>
        "#]]
        .assert_eq(&messages(input));
    }

    #[test]
    fn broken_json_is_an_error_after_what_was_read() {
        expect_test::expect![[r#"
            <a>
            error: EOF while parsing an object at line 1 column 30
        "#]]
        .assert_eq(&messages("{\"items\": [{\"message\": \"a\"}, {"));
    }

    #[test]
    fn a_long_line_is_cut_and_the_next_is_whole() {
        let input = format!("{}\nnext", "x".repeat(3 * LONGEST));
        let mut lengths = Vec::new();
        each_message(input.as_bytes(), |message| {
            lengths.push(message.len());
            Ok(())
        })
        .unwrap();
        assert_eq!(lengths, [LONGEST, 4]);
    }
}
