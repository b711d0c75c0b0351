//! `ecr-fix.toml`: what a project wants said with every command that reads the world.
//!
//! A value in the file is the default of the flag of the same name, so a flag or its variable in the environment wins.
//! The file can say what to read and how to get there. It cannot agree to anything, allow anything, or say where records are
//! kept; and what a saved plan or a record says of itself it does not touch.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{ArgMatches, Command, Parser};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::commands::plan::Choices;
use crate::commands::world::WorldArgs;
use crate::error::{Code, Error};

/// The file that is read from the working directory where no other is named.
const NAME: &str = "ecr-fix.toml";

/// More than any sensible file has, in bytes.
const LARGEST: u64 = 64 * 1024;

/// What may stand in the file.
struct Key {
    name: &'static str,
    /// The flag that it is the default of.
    flag: &'static str,
    form: Form,
    /// Who may say so.
    from: From,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    List,
    /// A table from account to role, or a list of `ACCOUNT=ROLE_ARN`.
    Roles,
    /// `true` is the flag, `false` is nothing.
    Switch,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum From {
    /// How to get in: it counts for every command.
    Anywhere,
    /// What to read, and what to plan: a plan that is made already says so itself.
    BeforeAPlan,
    /// A kubeconfig may name a program to run. A file that came with a clone and that nobody named must not.
    NamedFile,
}

const KEYS: &[Key] = &[
    Key { name: "account_roles", flag: "account-role", form: Form::Roles, from: From::BeforeAPlan },
    Key { name: "cluster", flag: "cluster", form: Form::Text, from: From::BeforeAPlan },
    Key { name: "context", flag: "context", form: Form::Text, from: From::Anywhere },
    Key { name: "images", flag: "image", form: Form::List, from: From::BeforeAPlan },
    Key { name: "kubeconfig", flag: "kubeconfig", form: Form::Text, from: From::NamedFile },
    Key { name: "least_privilege", flag: "least-privilege", form: Form::Switch, from: From::BeforeAPlan },
    Key { name: "no_kubernetes", flag: "no-kubernetes", form: Form::Switch, from: From::Anywhere },
    Key { name: "profile", flag: "profile", form: Form::Text, from: From::Anywhere },
    Key { name: "pull_policy", flag: "pull-policy", form: Form::Text, from: From::BeforeAPlan },
    Key { name: "region", flag: "region", form: Form::Text, from: From::BeforeAPlan },
    Key { name: "timeout", flag: "timeout", form: Form::Text, from: From::Anywhere },
];

/// What a file says.
pub(super) struct ProjectFile {
    path: PathBuf,
    settings: Vec<Setting>,
}

struct Setting {
    key: &'static Key,
    values: Vec<String>,
}

/// What a value is tried out on: the flags that read the same values.
#[derive(Parser)]
#[command(no_binary_name = true)]
struct Trial {
    #[command(flatten)]
    _world: WorldArgs,
    #[command(flatten)]
    _choices: Choices,
}

impl ProjectFile {
    /// Reads the file that was named, or the one in the working directory, if there is one.
    ///
    /// # Errors
    /// It cannot be read, or says something that it may not; the text names the line and never quotes a value of a key that is
    /// not known.
    pub(super) fn find(named: Option<&Path>) -> Result<Option<ProjectFile>, Error> {
        let path = named.unwrap_or(Path::new(NAME));
        if named.is_none() && !path.exists() {
            return Ok(None);
        }
        let settings = parse(path, &read(path)?, named.is_some())?;
        Ok(Some(ProjectFile { path: path.to_owned(), settings }))
    }

    /// The commands, with the values of the file as defaults of their flags.
    pub(super) fn as_defaults_of(&self, command: Command, has_plan: bool) -> Command {
        let counts = |setting: &&Setting| setting.key.from != From::BeforeAPlan || !has_plan;
        let settings: Vec<&Setting> = self.settings.iter().filter(counts).collect();
        with_defaults(command, &settings)
    }

    /// Which of its values a command takes, for whoever wonders where they come from; none where it takes nothing.
    pub(super) fn note(&self, matches: &ArgMatches) -> Option<String> {
        let mut leaf = matches;
        while let Some((_, below)) = leaf.subcommand() {
            leaf = below;
        }
        let is_taken = |setting: &&Setting| {
            leaf.ids().any(|id| id.as_str() == id_of(setting.key))
                && leaf.value_source(id_of(setting.key)) == Some(ValueSource::DefaultValue)
        };
        let names: Vec<&str> =
            self.settings.iter().filter(is_taken).map(|setting| setting.key.name).collect();
        (!names.is_empty()).then(|| format!("from {}: {}", self.path.display(), names.join(", ")))
    }
}

/// The name of the field that keeps the value of a flag.
fn id_of(key: &Key) -> &'static str {
    match key.flag {
        "account-role" => "account_roles",
        "context" => "kube_context",
        "image" => "images",
        _ => key.name,
    }
}

fn with_defaults(command: Command, settings: &[&Setting]) -> Command {
    let with_default = |arg: clap::Arg| {
        let of_arg = settings.iter().find(|setting| Some(setting.key.flag) == arg.get_long());
        match of_arg {
            // A process reads one file once: what it says may stay as long as the process.
            Some(setting) => {
                let values = setting.values.iter().map(|value| &*value.clone().leak());
                arg.default_values(values.collect::<Vec<&'static str>>())
            }
            None => arg,
        }
    };
    command.mut_args(with_default).mut_subcommands(|below| with_defaults(below, settings))
}

fn read(path: &Path) -> Result<String, Error> {
    let unreadable = |why: &dyn std::fmt::Display| {
        let what = format!("{} cannot be read", path.display());
        Error::new(Code::BadInput, what, "name another file with --config, or /dev/null for none")
            .because(why)
    };
    let file = fs::File::open(path).map_err(|error| unreadable(&error))?;
    let mut text = String::new();
    file.take(LARGEST + 1).read_to_string(&mut text).map_err(|error| unreadable(&error))?;
    if text.len() as u64 > LARGEST {
        return Err(unreadable(&format!("it has more than {LARGEST} bytes")));
    }
    Ok(text)
}

/// Where something is wrong in a file.
struct Place<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Place<'_> {
    fn wrong(&self, at: Option<std::ops::Range<usize>>, why: &str, hint: &str) -> Error {
        let start = at.map_or(0, |at| at.start);
        let line = self.text.bytes().take(start).filter(|byte| *byte == b'\n').count() + 1;
        let what = format!("{} cannot be used", self.path.display());
        Error::new(Code::BadInput, what, hint).because(format!("line {line}: {why}"))
    }
}

fn parse(path: &Path, text: &str, named: bool) -> Result<Vec<Setting>, Error> {
    let place = Place { path, text };
    let table = DeTable::parse(text)
        .map_err(|error| place.wrong(error.span(), error.message(), "write it as TOML: key = \"value\""))?;
    let mut settings: Vec<Setting> = Vec::new();
    for (name, value) in table.get_ref() {
        let key = known(&place, name)?;
        if settings.iter().any(|setting| setting.key.name == key.name) {
            return Err(place.wrong(Some(name.span()), &format!("{} is there twice", key.name), "keep one"));
        }
        if key.from == From::NamedFile && !named {
            let why = format!("{} may only stand in a file that is named: it can name a program", key.name);
            let hint = format!("if you trust the file, name it: --config {}", path.display());
            return Err(place.wrong(Some(name.span()), &why, &hint));
        }
        let values = values(&place, key, value)?;
        if !values.is_empty() {
            settings.push(Setting { key, values });
        }
    }
    Ok(settings)
}

/// The key of a name: as here, or as its flag is written.
fn known(place: &Place<'_>, name: &Spanned<std::borrow::Cow<'_, str>>) -> Result<&'static Key, Error> {
    let wanted = name.get_ref().replace('-', "_");
    let fits = |key: &&Key| key.name == wanted || key.flag.replace('-', "_") == wanted;
    KEYS.iter().find(fits).ok_or_else(|| {
        let names: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
        let why = format!("{} is not a key of this file", name.get_ref());
        place.wrong(Some(name.span()), &why, &format!("it may have: {}", names.join(", ")))
    })
}

fn values(place: &Place<'_>, key: &Key, value: &Spanned<DeValue<'_>>) -> Result<Vec<String>, Error> {
    let (at, flag) = (value.span(), key.flag);
    let expected = |at, what: &str| Err(place.wrong(Some(at), &format!("{} must be {what}", key.name), HELP));
    let text =
        |value: &Spanned<DeValue<'_>>| value.get_ref().as_str().map(|text| (value.span(), text.to_owned()));
    let (texts, what): (Option<Vec<_>>, _) = match (key.form, value.get_ref()) {
        (Form::Text, DeValue::String(_)) => (text(value).map(|text| vec![text]), "a text"),
        (Form::Text, _) => (None, "a text"),
        (Form::List | Form::Roles, DeValue::Array(list)) => {
            (list.iter().map(text).collect(), "a list of texts")
        }
        (Form::Roles, DeValue::Table(roles)) => {
            let role = |(account, role): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
                let (at, role) = text(role)?;
                Some((at, format!("{}={role}", account.get_ref())))
            };
            (roles.iter().map(role).collect(), "a table from account to the ARN of a role")
        }
        (Form::List, _) => (None, "a list of texts"),
        (Form::Roles, _) => (None, "a table from account to the ARN of a role"),
        (Form::Switch, DeValue::Boolean(on)) => {
            return Ok(if *on { vec!["true".to_owned()] } else { Vec::new() });
        }
        (Form::Switch, _) => (None, "true or false"),
    };
    let Some(texts) = texts else { return expected(at, what) };
    for (at, text) in &texts {
        if text.is_empty() {
            return expected(at.clone(), "no empty text");
        }
        if key.form != Form::Text && text.contains(',') {
            return expected(at.clone(), "without commas");
        }
        judge(flag, text).map_err(|why| place.wrong(Some(at.clone()), &why, HELP))?;
    }
    Ok(texts.into_iter().map(|(_, text)| text).collect())
}

const HELP: &str = "the values are those of the flags: see `ecr-fix plan --help`";

/// What the flag itself says of a value.
fn judge(flag: &str, value: &str) -> Result<(), String> {
    use clap::{CommandFactory as _, error::ErrorKind};
    let without_environment = |arg: clap::Arg| arg.env(None::<&'static str>);
    let trial = Trial::command().mut_args(without_environment);
    match trial.try_get_matches_from([format!("--{flag}={value}")]) {
        Err(error) if error.kind() != ErrorKind::DisplayHelp => {
            let text = error.to_string();
            Err(text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, FromArgMatches as _};
    use expect_test::{Expect, expect};

    use super::*;

    fn check(text: &str, named: bool, expected: &Expect) {
        let told = match parse(Path::new("ecr-fix.toml"), text, named) {
            Ok(settings) => settings
                .iter()
                .map(|setting| format!("--{} {}\n", setting.key.flag, setting.values.join(" ")))
                .collect(),
            Err(error) => format!("{error}\nhint: {}\n", error.hint()),
        };
        expected.assert_eq(&told);
    }

    #[test]
    fn keys_are_defaults_of_flags() {
        check(
            r#"
            cluster = "prod"
            region = "eu-west-1"
            image = ["a:1"]
            no-kubernetes = true
            least_privilege = false
            [account_roles]
            444455556666 = "arn:aws:iam::444455556666:role/reader"
            "#,
            false,
            &expect![[r#"
                --account-role 444455556666=arn:aws:iam::444455556666:role/reader
                --cluster prod
                --image a:1
                --no-kubernetes true
                --region eu-west-1
            "#]],
        );
    }

    #[test]
    fn what_cannot_be_used_is_named_with_its_line() {
        check(
            "cluster = \"prod\"\npasswrod = \"hunter2\"\n",
            false,
            &expect![[r#"
                ecr-fix.toml cannot be used: line 2: passwrod is not a key of this file
                hint: it may have: account_roles, cluster, context, images, kubeconfig, least_privilege, no_kubernetes, profile, pull_policy, region, timeout
            "#]],
        );
        check(
            "\n\ntimeout = \"soon\"",
            false,
            &expect![[r#"
                ecr-fix.toml cannot be used: line 3: invalid value 'soon' for '--timeout <DURATION>': failed to parse input in the "friendly" duration format: expected duration to start with a unit value (a decimal integer) after an optional sign, but no integer was found
                hint: the values are those of the flags: see `ecr-fix plan --help`
            "#]],
        );
        check(
            "[account_roles]\n1 = \"arn:aws:iam::444455556666:role/reader\"",
            false,
            &expect![[r#"
                ecr-fix.toml cannot be used: line 2: invalid value '1=arn:aws:iam::444455556666:role/reader' for '--account-role <ACCOUNT=ROLE_ARN>': the role is in account 444455556666, not in 1
                hint: the values are those of the flags: see `ecr-fix plan --help`
            "#]],
        );
        check(
            "images = 3",
            false,
            &expect![[r#"
                ecr-fix.toml cannot be used: line 1: images must be a list of texts
                hint: the values are those of the flags: see `ecr-fix plan --help`
            "#]],
        );
        check(
            "image = []\nimages = [\"a\"]\nimage = [\"b\"]",
            false,
            &expect![[r#"
                ecr-fix.toml cannot be used: line 3: duplicate key
                hint: write it as TOML: key = "value"
            "#]],
        );
    }

    #[test]
    fn only_a_named_file_may_name_a_kubeconfig() {
        let text = "kubeconfig = \"k\"";
        check(
            text,
            false,
            &expect![[r#"
                ecr-fix.toml cannot be used: line 1: kubeconfig may only stand in a file that is named: it can name a program
                hint: if you trust the file, name it: --config ecr-fix.toml
            "#]],
        );
        check(
            text,
            true,
            &expect![[r#"
                --kubeconfig k
            "#]],
        );
    }

    /// The promise of SECURITY.md, held against every flag that there is.
    #[test]
    fn nothing_in_the_file_agrees_allows_or_hides() {
        let flags: Vec<&str> = KEYS.iter().map(|key| key.flag).collect();
        let harmless = Trial::command();
        for flag in &flags {
            assert!(harmless.get_arguments().any(|arg| arg.get_long() == Some(flag)), "{flag} is no flag");
            let dangerous =
                ["yes", "allow", "require", "expect", "owned", "state", "snapshot", "out", "read-pull"];
            assert!(!dangerous.iter().any(|word| flag.starts_with(word)), "{flag}");
        }
        for key in KEYS {
            assert!(harmless.get_arguments().any(|arg| arg.get_id() == id_of(key)), "{}", key.name);
        }
    }

    #[test]
    fn a_flag_wins_and_a_saved_plan_speaks_for_itself() {
        let settings = parse(Path::new("x"), "cluster = \"file\"\nprofile = \"file\"", true).unwrap();
        let file = ProjectFile { path: "x".into(), settings };
        let told = |has_plan: bool, arguments: &[&str]| {
            let command = file.as_defaults_of(Trial::command(), has_plan);
            let matches = command.try_get_matches_from(arguments).unwrap();
            let world = Trial::from_arg_matches(&matches).unwrap()._world;
            (world.cluster, world.profile, file.note(&matches))
        };
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(told(false, &[]), (text("file"), text("file"), text("from x: cluster, profile")));
        assert_eq!(told(false, &["--cluster=flag"]), (text("flag"), text("file"), text("from x: profile")));
        assert_eq!(told(true, &[]), (None, text("file"), text("from x: profile")));
    }
}
