//! Whether the image is there: `image`. The registry is not read yet, so only the stand-in is decided.

use super::Options;
use crate::checks::Leg;
use crate::diagnosis::{Verdicts, pull_id};
use crate::pulls::World;

/// Judges `image`.
pub(super) fn judge(world: &World<'_>, _options: &Options, verdicts: &mut Verdicts) {
    for pull in world.pulls() {
        let id = pull_id(&pull);
        if pull.image.name.ends_with("/*") {
            // It stands for whatever AWS keeps there, and names nothing that could be missing.
            verdicts.ok(&id, Leg::Image);
        } else {
            verdicts.unknown(&id, Leg::Image, "ecr:DescribeImages: not read");
        }
    }
}
