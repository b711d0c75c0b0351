//! Reads and writes snapshot directories: JSON files as the AWS CLI and kubectl print them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::error::{Code, Error};
use crate::json_text::{Fields, edited, edits, insertion, removal};
use crate::model::snapshot::{
    About, Misshapen, RowChange, Shape, Snapshot, TABLES, Table, Unread, file_reader, pretty, table,
};
use crate::model::{dns_firewall, ec2, ecr, iam, kubernetes, organizations, route53};

/// The file that `ecr-fix snapshot` adds: where, when, and what was refused.
const ABOUT_FILE: &str = "snapshot.json";

/// Above this a file is refused, so that a wrong path cannot fill the memory.
const LARGEST_FILE: u64 = 4 << 30;

/// How the names of files begin that are not whole yet. Readers pass over them.
const TEMPORARY: &str = ".ecr-fix-tmp-";

/// How deep directories may nest.
const DEEPEST: usize = 16;

/// A snapshot as it was read from a directory, with what a reader may want to know.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The world.
    pub snapshot: Snapshot,
    /// Keys that were kept and ignored, with the file each stands in.
    pub ignored: Vec<(PathBuf, String)>,
    /// Parts of roles and policies, whose places are known when all files were read.
    parts: Vec<iam::Part>,
}

#[derive(Serialize, Deserialize, Default)]
#[serde(default)]
struct AboutFile {
    #[serde(flatten)]
    about: About,
    unread: Vec<Unread>,
    not_found: BTreeSet<String>,
    keys: BTreeSet<String>,
}

/// Reads a directory.
///
/// # Errors
/// Names the file, the JSON pointer and what was expected there.
pub fn load(dir: &Path) -> Result<Loaded, Error> {
    let mut loaded = Loaded::default();
    for file in files(dir)? {
        let text = read(&file)?;
        if file.file_name().is_some_and(|name| name == ABOUT_FILE) {
            let about: AboutFile = serde_json::from_str(&text).map_err(|error| not_json(&file, &error))?;
            loaded.snapshot.about = about.about;
            loaded.snapshot.unread.extend(about.unread);
            loaded.snapshot.not_found.extend(about.not_found);
            loaded.snapshot.keys.extend(about.keys);
            continue;
        }
        read_file(&mut loaded, &file, &text)?;
    }
    let parts = std::mem::take(&mut loaded.parts);
    let strangers = iam::settle(&mut loaded.snapshot, parts, dir);
    loaded.ignored.extend(strangers.into_iter().map(|part| (part.file, part.key.to_owned())));
    Ok(loaded)
}

/// Reads one file of a directory, whose path is only looked at.
///
/// # Errors
/// As [`load`].
pub fn read_file(loaded: &mut Loaded, file: &Path, text: &str) -> Result<(), Error> {
    let top: Fields<'_> = serde_json::from_str(text).map_err(|error| not_json(file, &error))?;
    let snapshot = &mut loaded.snapshot;
    if kubernetes::is_kubernetes(&top) {
        if !kubernetes::read_file(snapshot, text, &top, file).map_err(|wrong| misshapen(file, &wrong))? {
            loaded.ignored.push((file.to_owned(), "kind".to_owned()));
        }
        return Ok(());
    }
    let is_page = iam::is_one_of_several_pages(&top).map_err(|wrong| misshapen(file, &wrong))?;
    let mut has_parts = false;
    for (key, value) in &top {
        if let Some(part) = iam::Part::read(key, &top, file).map_err(|wrong| misshapen(file, &wrong))? {
            loaded.parts.push(part);
            has_parts = true;
            continue;
        }
        // Two services may print lists under one key: whose rows these are, their surroundings tell.
        let surroundings = file_reader(key).map_or(Ok(false), |reader| (reader.read)(snapshot, &top, file));
        if surroundings.map_err(|wrong| misshapen(file, &wrong))? {
            // Rows of one service do not make the list of the other complete.
            if table(key).is_none() && !is_page {
                snapshot.keys.insert(key.clone().into_owned());
            }
            continue;
        }
        let read = match table(key) {
            Some(table) if table.shape == Shape::WholeFile => {
                let whole = serde_json::from_str(text).map_err(|error| not_json(file, &error))?;
                (table.read)(snapshot, whole).map(|()| true)
            }
            Some(table) => (table.read)(snapshot, value)
                .map(|()| true)
                .map_err(|wrong| Misshapen { pointer: format!("/{key}{}", wrong.pointer), ..wrong }),
            None => Ok(false),
        };
        if !read.map_err(|wrong| misshapen(file, &wrong))? {
            loaded.ignored.push((file.to_owned(), key.clone().into_owned()));
        } else if !is_page {
            snapshot.keys.insert(key.clone().into_owned());
        }
    }
    if has_parts {
        let belongs = |key: &str| iam::BESIDE_PARTS.contains(&key);
        loaded.ignored.retain(|(of, key)| of != file || !belongs(key));
    }
    Ok(())
}

fn misshapen(file: &Path, wrong: &Misshapen) -> Error {
    Error::new(
        Code::BadInput,
        format!("{} has an unexpected shape at {}", file.display(), wrong.pointer),
        "print it again with the AWS CLI (`--output json`) and leave it as it is",
    )
    .because(&wrong.expected)
}

/// Writes the rows that differ between two states of a world into the directory that it was read from.
///
/// Only what changed is written: every other byte of the files stays as it is.
///
/// # Errors
/// A row that is in no file, a new row of a kind that is in no file, or a file that cannot be written. Each file is replaced as a whole or not at all.
pub fn write_changes(dir: &Path, before: &Snapshot, after: &Snapshot) -> Result<(), Error> {
    let (mut before, mut after) = (before.clone(), after.clone());
    for table in TABLES.iter().copied().flatten() {
        for change in (table.changes)(&mut before, &mut after) {
            write_change(dir, table, &change)?;
        }
    }
    Ok(())
}

/// Writes a snapshot as a new directory: one file for each key or row, and one that says what was refused.
/// Gives the number of files. The directory appears whole or not at all.
///
/// # Errors
/// The directory holds something already, or cannot be written.
pub fn write(dir: &Path, snapshot: &Snapshot) -> Result<usize, Error> {
    let failed = |error: std::io::Error| {
        Error::new(
            Code::Storage,
            format!("the snapshot could not be written to {}", dir.display()),
            "name an empty directory, or one that does not exist yet, on a disk with free space",
        )
        .because(error)
    };
    if fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(failed(std::io::Error::other("it is not empty")));
    }
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(failed)?;
    let temporary = tempfile::Builder::new().prefix(".snapshot-").tempdir_in(parent).map_err(failed)?;
    let files = texts(snapshot);
    for (name, text) in &files {
        fs::write(temporary.path().join(name), text).map_err(failed)?;
    }
    fs::rename(temporary.path(), dir).map_err(failed)?;
    // It has its own name now, so there is nothing left to remove.
    let _ = temporary.keep();
    Ok(files.len())
}

/// The files of a snapshot, by name.
fn texts(snapshot: &Snapshot) -> BTreeMap<String, String> {
    let mut copy = snapshot.clone();
    let tables = TABLES.iter().copied().flatten();
    let mut all: Vec<(String, String)> = tables.flat_map(|table| (table.files)(&mut copy)).collect();
    all.extend(ec2::files_by_id(&snapshot.ec2));
    all.extend(kubernetes::files(snapshot));
    all.extend(route53::files_by_id(&snapshot.route53));
    all.extend(organizations::files_by_id(&snapshot.organizations));
    all.extend(dns_firewall::files_by_id(&snapshot.dns_firewall));
    all.extend(ecr::files_by_id(&snapshot.layers));
    let about = AboutFile {
        about: snapshot.about.clone(),
        unread: snapshot.unread.clone(),
        not_found: snapshot.not_found.clone(),
        keys: snapshot.keys.clone(),
    };
    let mut files = BTreeMap::from([(ABOUT_FILE.to_owned(), pretty(&about))]);
    // Two ids may be one as file names, and some file systems take no notice of case.
    let mut taken = BTreeSet::from([ABOUT_FILE.to_owned()]);
    // One kind of row may stand under two keys.
    let all: BTreeSet<(String, String)> = all.into_iter().collect();
    for (name, text) in all {
        let numbered = (2..).map(|number| format!("{name}-{number}.json"));
        let mut names = std::iter::once(format!("{name}.json")).chain(numbered);
        if let Some(file) = names.find(|file| taken.insert(file.to_ascii_lowercase())) {
            files.insert(file, text);
        }
    }
    files
}

/// Copies a snapshot directory, for a sandbox that may be changed.
///
/// # Errors
/// The destination holds something already, or cannot be written.
pub fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    let failed = |error: std::io::Error| {
        Error::new(
            Code::Storage,
            format!("{} could not be copied to {}", from.display(), to.display()),
            "name an empty directory",
        )
        .because(error)
    };
    if fs::read_dir(to).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(failed(std::io::Error::other("it is not empty")));
    }
    for file in files(from)? {
        let inside = file.strip_prefix(from).unwrap_or(&file);
        let copy = to.join(inside);
        fs::create_dir_all(copy.parent().unwrap_or(to)).map_err(failed)?;
        fs::copy(&file, &copy).map_err(failed)?;
    }
    Ok(())
}

fn write_change(dir: &Path, table: &Table, change: &RowChange) -> Result<(), Error> {
    match (&change.before, &change.after) {
        (Some(old), Some(new)) => change_row(dir, table, change, old, new),
        (None, Some(new)) => add_row(dir, table, change, new),
        (Some(_), None) => remove_row(dir, table, change),
        (None, None) => Ok(()),
    }
}

fn lost(dir: &Path, table: &Table, change: &RowChange) -> Error {
    Error::new(
        Code::BadInput,
        format!("{} {} is in no file of {}", table.key, change.id, dir.display()),
        "do not change the directory while ecr-fix works in it",
    )
}

/// Writes the fields that changed. A row may stand in several files, each with some of its fields: the one that has a
/// changed field comes first.
fn change_row(dir: &Path, table: &Table, change: &RowChange, old: &str, new: &str) -> Result<(), Error> {
    let lost = || lost(dir, table, change);
    let changed = changed_fields(old, new).ok_or_else(lost)?;
    for any_row_will_do in [false, true] {
        for file in files(dir)? {
            let text = read(&file)?;
            let Ok(top) = serde_json::from_str::<Fields<'_>>(&text) else { continue };
            let found = rows(&text, &top, table).into_iter().find(|row| is_row(row, change));
            let Some(row) = found else { continue };
            let fields: Fields<'_> = serde_json::from_str(row.get()).map_err(|_| lost())?;
            if any_row_will_do || fields.keys().any(|name| changed.contains(name.as_ref())) {
                let value = |row| serde_json::from_str::<Value>(row).map_err(|_| lost());
                let edits = edits(&text, row, &value(old)?, &value(new)?).ok_or_else(lost)?;
                return replace_file(&file, edited(&text, edits).as_bytes());
            }
        }
    }
    Err(lost())
}

/// Appends a row to the first list of its kind.
fn add_row(dir: &Path, table: &Table, change: &RowChange, new: &str) -> Result<(), Error> {
    let lost = || lost(dir, table, change);
    let new: Value = serde_json::from_str(new).map_err(|_| lost())?;
    for file in files(dir)? {
        let text = read(&file)?;
        let Ok(top) = serde_json::from_str::<Fields<'_>>(&text) else { continue };
        let Some(list) = top.get(table.key).filter(|_| table.shape == Shape::List) else { continue };
        let Ok(elements) = serde_json::from_str::<Vec<&RawValue>>(list.get()) else { continue };
        let edit = insertion(&text, list, &elements, elements.len(), &[new]).ok_or_else(lost)?;
        return replace_file(&file, edited(&text, vec![edit]).as_bytes());
    }
    Err(lost())
}

/// Takes a row out of every list that holds it.
fn remove_row(dir: &Path, table: &Table, change: &RowChange) -> Result<(), Error> {
    let lost = || lost(dir, table, change);
    let mut found = false;
    for file in files(dir)? {
        let text = read(&file)?;
        let Ok(top) = serde_json::from_str::<Fields<'_>>(&text) else { continue };
        let Some(list) = top.get(table.key).filter(|_| table.shape == Shape::List) else { continue };
        let Ok(elements) = serde_json::from_str::<Vec<&RawValue>>(list.get()) else { continue };
        if let Some(index) = elements.iter().position(|row| is_row(row, change)) {
            let edit = removal(&text, list, &elements, index..index + 1).ok_or_else(lost)?;
            replace_file(&file, edited(&text, vec![edit]).as_bytes())?;
            found = true;
        }
    }
    if found { Ok(()) } else { Err(lost()) }
}

/// The names of the fields in which two rows differ.
fn changed_fields(old: &str, new: &str) -> Option<BTreeSet<String>> {
    let fields = |json| serde_json::from_str::<Fields<'_>>(json).ok();
    let (old, new) = (fields(old)?, fields(new)?);
    let same = |name: &Cow<'_, str>| {
        old.get(name).map(|value| value.get()) == new.get(name).map(|value| value.get())
    };
    Some(old.keys().chain(new.keys()).filter(|name| !same(name)).map(|name| name.to_string()).collect())
}

/// The rows of a table in a file.
fn rows<'a>(text: &'a str, top: &Fields<'a>, table: &Table) -> Vec<&'a RawValue> {
    let (alone, list) = iam::ROLE;
    if let Some(role) = top.get(alone).filter(|_| table.key == list && !top.contains_key(list)) {
        return vec![role];
    }
    let Some(value) = top.get(table.key).copied() else { return Vec::new() };
    match table.shape {
        Shape::One => vec![value],
        Shape::WholeFile => serde_json::from_str(text).into_iter().collect(),
        Shape::List => serde_json::from_str(value.get()).unwrap_or_default(),
        Shape::Nested(inner) => serde_json::from_str::<Vec<Fields<'a>>>(value.get())
            .unwrap_or_default()
            .iter()
            .filter_map(|object| serde_json::from_str::<Vec<&'a RawValue>>(object.get(inner)?.get()).ok())
            .flatten()
            .collect(),
    }
}

fn is_row(row: &RawValue, change: &RowChange) -> bool {
    (change.id_of)(row.get()).as_ref() == Some(&change.id)
}

/// Replaces a file by way of a temporary one beside it, so that no reader ever sees half of it.
fn replace_file(file: &Path, bytes: &[u8]) -> Result<(), Error> {
    let failed = |error: std::io::Error| {
        Error::new(
            Code::Storage,
            format!("{} could not be written", file.display()),
            "free space on the disk, or make the directory writable",
        )
        .because(error)
    };
    let dir = file.parent().unwrap_or(Path::new("."));
    let mut temporary = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(dir).map_err(failed)?;
    if let Ok(metadata) = fs::metadata(file) {
        temporary.as_file().set_permissions(metadata.permissions()).map_err(failed)?;
    }
    temporary.write_all(bytes).map_err(failed)?;
    temporary.as_file().sync_all().map_err(failed)?;
    temporary.persist(file).map_err(|error| failed(error.error))?;
    fs::File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed)
}

/// Removes the temporary files of a process that was killed before it could replace a file.
///
/// # Errors
/// The directory cannot be read, or such a file cannot be removed.
pub fn remove_leftovers(dir: &Path) -> Result<(), Error> {
    let dirs: BTreeSet<PathBuf> =
        files(dir)?.iter().filter_map(|file| file.parent().map(Path::to_owned)).collect();
    let failed = |error: std::io::Error| {
        Error::new(Code::Storage, format!("{} cannot be tidied", dir.display()), "make it writable")
            .because(error)
    };
    for dir in dirs {
        for entry in fs::read_dir(dir).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
                fs::remove_file(entry.path()).map_err(failed)?;
            }
        }
    }
    Ok(())
}

/// Every JSON file below a directory, in order of its path.
fn files(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    if !dir.is_dir() {
        return Err(Error::new(
            Code::NotFound,
            format!("there is no snapshot directory {}", dir.display()),
            "name a directory of JSON files as the AWS CLI prints them",
        ));
    }
    let mut found = Vec::new();
    walk(dir, 0, &mut found)?;
    if found.is_empty() {
        return Err(Error::new(
            Code::BadInput,
            format!("{} holds no JSON file", dir.display()),
            "fill it, for example with `aws eks describe-cluster --name NAME > DIR/cluster.json`",
        ));
    }
    found.sort();
    Ok(found)
}

fn walk(dir: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), Error> {
    let failed = |error: std::io::Error| {
        Error::new(Code::BadInput, format!("{} could not be read", dir.display()), "check its permissions")
            .because(error)
    };
    if depth > DEEPEST {
        return Err(failed(std::io::Error::other(format!("nested more than {DEEPEST} deep"))));
    }
    for entry in fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(failed)?);
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if kind.is_dir() {
            walk(&path, depth + 1, found)?;
        } else if kind.is_symlink() && path.is_dir() {
            return Err(Error::new(
                Code::BadInput,
                format!("{} is a symbolic link to a directory", path.display()),
                "copy its files: a snapshot may not lead out of its own directory",
            ));
        } else if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json")) {
            if !kind.is_symlink() && !kind.is_file() {
                return Err(Error::new(
                    Code::BadInput,
                    format!("{} is not a regular file", path.display()),
                    "take it out of the directory",
                ));
            }
            if kind.is_symlink() {
                return Err(Error::new(
                    Code::BadInput,
                    format!("{} is a symbolic link", path.display()),
                    "copy the file itself: a snapshot may not lead out of its own directory",
                ));
            }
            found.push(path);
        }
    }
    Ok(())
}

fn read(file: &Path) -> Result<String, Error> {
    let failed = |error: std::io::Error| {
        Error::new(Code::BadInput, format!("{} could not be read", file.display()), "check the file")
            .because(error)
    };
    let size = fs::metadata(file).map_err(failed)?.len();
    if size > LARGEST_FILE {
        return Err(failed(std::io::Error::other(format!("it has {size} bytes, more than {LARGEST_FILE}"))));
    }
    fs::read_to_string(file).map_err(failed)
}

fn not_json(file: &Path, error: &serde_json::Error) -> Error {
    Error::new(
        Code::BadInput,
        format!("{} is not a JSON object", file.display()),
        "print it again with `--output json`, or take it out of the directory",
    )
    .because(error)
}

#[test]
fn what_was_written_loads_as_what_it_was() {
    for story in fs::read_dir("plans").unwrap() {
        let world = story.unwrap().path().join("world");
        if !world.is_dir() {
            continue;
        }
        let before = load(&world).unwrap().snapshot;
        let parent = tempfile::tempdir().unwrap();
        let copy = parent.path().join("copy");
        write(&copy, &before).unwrap();
        assert_eq!(load(&copy).unwrap().snapshot, before, "{}", world.display());
        assert_eq!(write(&copy, &before).unwrap_err().code, Code::Storage, "it is not empty");
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1, "nothing temporary is left");
    }
}
