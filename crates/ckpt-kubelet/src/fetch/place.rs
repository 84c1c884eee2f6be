//! Where an archive lies on its node.

use crate::error::Error;
use crate::name::NodeName;

/// Where an archive is.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) path: String,
    pub(super) node: NodeName,
}

impl Place {
    /// The directory and the file's name. What the kubelet answers is not trusted to be a path.
    pub(super) fn split(&self) -> Result<(&str, &str), Error> {
        let (directory, file) = self.path.rsplit_once('/').unwrap_or_default();
        let sound = directory.starts_with('/')
            && !file.is_empty()
            && !self.path.contains('\0')
            && self.path.split('/').all(|part| part != ".." && part != ".");
        if sound {
            return Ok((directory, file));
        }
        Err(Error::Fetch {
            path: self.path.clone(),
            node: self.node.to_string(),
            why: "this is no absolute path of a file in a directory".into(),
            remedy: "look for the archive on the node".into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(path: &str) -> Option<(String, String)> {
        let place = Place { path: path.to_owned(), node: NodeName::new("n").unwrap() };
        place.split().ok().map(|(directory, file)| (directory.to_owned(), file.to_owned()))
    }

    #[test]
    fn what_is_no_path_of_an_archive_is_not_mounted() {
        for path in ["", "a.tar", "/", "/a.tar", "/a/", "/a/../b.tar", "/a/./b", "a/b", "/a/b\0"] {
            assert_eq!(split(path), None, "{path:?}");
        }
        let odd = "/var/lib/kubelet/check points/a 'b' $(c).tar";
        assert_eq!(
            split(odd),
            Some(("/var/lib/kubelet/check points".into(), "a 'b' $(c).tar".into()))
        );
    }
}
