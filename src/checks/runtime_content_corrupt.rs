//! # runtime-content-corrupt
//!
//! The runtime cannot unpack what it downloaded, or its store is damaged.
//!
//! ## Why pulls fail
//! Bytes arrived wrong or incomplete, the store of the runtime on the node is damaged, or the file system
//! cannot hold what the layer contains.
//!
//! ## How to see it
//! - `failed to extract layer`, `unexpected commit digest`, `failed size validation`, `failed to convert
//!   whiteout file`, or `unexpected EOF` while unpacking.
//!
//! ## What to do
//! Replace the node. As first aid there: `crictl rmi IMAGE` and pull again. If every node fails, push the
//! image again.
//!
//! ## What is never automated
//! Nodes and their stores are never touched.

use super::{Cause, Recognition, Remedy, Severity};
use crate::explain::{Message, said::Said};

pub(crate) const CAUSE: Cause = Cause {
    id: "runtime-content-corrupt",
    leg: None,
    severity: Severity::High,
    remedy: Remedy::NotAws,
    source: include_str!("runtime_content_corrupt.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let said = message.corrupt().filter(|_| message.said(Said::DiskFull).is_none())?;
    let next = "does another node pull the image? Then replace this one; otherwise push the image again";
    Some(Recognition::likely(said, "what arrived cannot be unpacked on this node", next).weight(80))
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        r#"failed to extract layer sha256:00: failed to convert whiteout file "etc/.wh..wh..opq": operation not supported: unknown"#,
    );
    super::test_support::first(
        &CAUSE,
        "failed to unpack image on snapshotter overlayfs: mismatched image rootfs and manifest layers",
    );
}
