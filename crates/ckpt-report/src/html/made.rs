//! How the report was made.

use serde::Serialize;

use super::{About, Legible};

/// The last section.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Made {
    tool: String,
    command: String,
    time: String,
    sha256: Option<String>,
    unhashed: Option<String>,
    hashed: bool,
    revealed: bool,
}

impl Made {
    pub(super) fn of(about: &About, legible: &Legible<'_>) -> Self {
        Self {
            tool: about.tool.clone(),
            command: legible.within(&about.command, 4000),
            time: about.made.clone(),
            sha256: about.sha256.as_ref().and_then(|hash| hash.as_ref().ok()).cloned(),
            unhashed: about
                .sha256
                .as_ref()
                .and_then(|hash| hash.as_ref().err())
                .map(|why| legible.text(why)),
            hashed: about.hashed,
            revealed: about.reveal,
        }
    }
}
