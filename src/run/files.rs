//! Files of our own: readable by their owner only, and on the disk before anything goes on.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use crate::error::{Code, Error};

/// A file that did not exist before and that only its owner can read.
pub(super) fn create_file(path: &Path) -> Result<File, Error> {
    let options = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    options.map_err(|error| storage(path, &error))
}

/// Replaces a file that only its owner can read: whatever happens, it has its old content or the new one.
pub(super) fn replace_file(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    use std::io::Write as _;
    let failed = |error| storage(path, &error);
    let beside = path.with_extension("new");
    let options = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside);
    let mut file = options.map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_data()).map_err(failed)?;
    fs::rename(&beside, path).map_err(failed)?;
    path.parent().map_or(Ok(()), sync_dir)
}

/// Waits until the entries of a directory are on the disk.
pub(super) fn sync_dir(dir: &Path) -> Result<(), Error> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(|error| storage(dir, &error))
}

pub(super) fn storage(path: &Path, error: &std::io::Error) -> Error {
    Error::new(
        Code::Storage,
        format!("{} cannot be written", path.display()),
        "free space on the disk, or name another directory with --state",
    )
    .because(error)
}

/// A directory that only its owner can enter, and those above it.
pub(super) fn create_dir(dir: &Path) -> Result<(), Error> {
    if dir.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|error| storage(dir, &error))?;
    // Each new directory is an entry of the one above it, which a power loss could take back.
    dir.ancestors().skip(1).take(3).filter(|above| above.is_dir()).try_for_each(sync_dir)
}

/// A directory that others can write to could have been prepared for us.
pub(super) fn refuse_foreign(root: &Path) -> Result<(), Error> {
    let Ok(metadata) = fs::symlink_metadata(root) else { return Ok(()) };
    let because = if metadata.file_type().is_symlink() {
        "it is a symbolic link"
    } else if !metadata.is_dir() {
        "it is not a directory"
    } else if metadata.mode() & 0o022 != 0 {
        "others may write to it"
    } else if own_id().is_some_and(|own| own != 0 && metadata.uid() != own) {
        "it belongs to somebody else"
    } else {
        return Ok(());
    };
    Err(Error::new(
        Code::Storage,
        format!("{} cannot be trusted with records", root.display()),
        "make it yours (`chmod go-w DIR`), or name another directory with --state",
    )
    .because(because))
}

/// The user that this process runs as, where the system says so.
fn own_id() -> Option<u32> {
    fs::metadata("/proc/self").ok().map(|metadata| metadata.uid())
}

/// A secret that was kept earlier.
pub(super) fn read_secret(file: &Path) -> Result<Option<[u8; 32]>, Error> {
    let refused = |because: &str| {
        Error::new(
            Code::Storage,
            format!("{} cannot be used", file.display()),
            "delete it: the next report makes another, with other pseudonyms",
        )
        .because(because)
    };
    let Ok(metadata) = fs::symlink_metadata(file) else { return Ok(None) };
    if !metadata.is_file() || metadata.mode() & 0o077 != 0 {
        return Err(refused("others may read it, or it is no file"));
    }
    let text = fs::read_to_string(file).map_err(|error| refused(&error.to_string()))?;
    let mut secret = [0; 32];
    for (place, byte) in secret.iter_mut().enumerate() {
        let digits = text.get(place * 2..place * 2 + 2);
        let value = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        *byte = value.ok_or_else(|| refused("it does not hold 64 hexadecimal digits"))?;
    }
    Ok(Some(secret))
}

/// Makes a file with its content at once, unless there is one.
pub(super) fn enter(file: &Path, dir: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut entry = tempfile::NamedTempFile::new_in(dir)?;
    entry.write_all(text.as_bytes())?;
    entry.as_file().sync_all()?;
    entry.persist_noclobber(file).map(drop).map_err(|error| error.error)
}
