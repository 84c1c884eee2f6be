//! Text that is never shown.

use std::fmt;
use std::io;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

/// A token or a private key. It has no `Display`, its `Debug` tells nothing, and its memory is overwritten when it goes.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Keeps `text`.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(SecretString::from(text))
    }

    /// Reads a file, without the white space around what it holds: editors and `echo` end files with a newline, which no
    /// token has.
    ///
    /// # Errors
    ///
    /// The file cannot be read or is no text.
    pub fn read(path: &Path) -> io::Result<Self> {
        let text = SecretString::from(std::fs::read_to_string(path)?);
        Ok(Self::new(text.expose_secret().trim()))
    }

    /// The text itself.
    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(not shown)")
    }
}

impl std::str::FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::new(text))
    }
}
